import type { HostParameter } from '../layers/parameters.js';
import type { LossScale } from '../optim/loss-scale.js';
import { AdamW, type NamedTensor, type Optimizer, SGD } from '../optim/optimizers.js';
import { cosineSchedule, multiStepSchedule, type Schedule, stepSchedule } from '../optim/schedules.js';
import { WeightAverage } from '../optim/weight-average.js';
import type { OptimizerConfig, TrainingConfig } from './config.js';

type State = ReadonlyMap<string, HostParameter> | undefined;

/** The optimiser that a config asks for, with the state of a checkpoint. */
export function makeOptimizer(
  config: OptimizerConfig,
  parameters: readonly NamedTensor[],
  state: State,
  lossScale?: LossScale,
): Optimizer {
  const options = {
    weightDecay: config.weight_decay,
    noDecayOnNormsAndBiases: config.no_decay_on_norms_and_biases,
    maxNorm: config.clip_norm,
    lossScale,
  };
  const { momentum, nesterov, betas, eps } = config;
  const optimizer =
    config.type === 'sgd'
      ? new SGD(parameters, { ...options, momentum, nesterov })
      : new AdamW(parameters, { ...options, betas: [betas[0], betas[1]], eps });
  if (state) optimizer.load(state);
  return optimizer;
}

/** The moving average of the weights, where a config asks for one. */
export function makeAverage(
  { ema }: OptimizerConfig,
  weights: readonly NamedTensor[],
  state: State,
): WeightAverage | undefined {
  if (ema === null) return undefined;
  const average = new WeightAverage(weights, ema);
  if (state) average.load(state);
  return average;
}

/** The learning rate of each step. */
export function makeSchedule({ optimizer: { lr }, schedule, steps }: TrainingConfig): Schedule {
  const { type, step_size, milestones, gamma, min_lr, warmup_steps, warmup_factor } = schedule;
  const rate = { lr, warmup: { steps: warmup_steps, factor: warmup_factor } };
  if (type === 'step') return stepSchedule({ ...rate, stepSize: step_size, gamma });
  if (type === 'multi_step') return multiStepSchedule({ ...rate, milestones, gamma });
  return cosineSchedule({ ...rate, steps, minLr: min_lr });
}
