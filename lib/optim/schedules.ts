/** The learning rate of a step, counted from 0. */
export type Schedule = (step: number) => number;

/** A linear rise: `factor` of the rate at step 0, all of it from step `steps` on (torch's LinearLR). */
export interface Warmup {
  steps: number;
  /** Default: 0.001, as torchvision's references have it. */
  factor?: number;
}

interface Rate {
  /** At its height, after the warm-up. */
  lr: number;
  warmup?: Warmup | undefined;
}

export interface StepOptions extends Rate {
  /** Steps after which the rate is multiplied by gamma, again and again. */
  stepSize: number;
  gamma?: number;
}

export interface MultiStepOptions extends Rate {
  /** Steps at which the rate is multiplied by gamma. */
  milestones: readonly number[];
  gamma?: number;
}

export interface CosineOptions extends Rate {
  /** Steps of half a wave; the rate stays at `minLr` behind it. */
  steps: number;
  minLr?: number;
}

/** torch.optim.lr_scheduler.StepLR. */
export function stepSchedule({ lr, stepSize, gamma = 0.1, warmup }: StepOptions): Schedule {
  return warmed(warmup, (step) => lr * gamma ** Math.floor(step / stepSize));
}

/** torch.optim.lr_scheduler.MultiStepLR. */
export function multiStepSchedule({ lr, milestones, gamma = 0.1, warmup }: MultiStepOptions): Schedule {
  return warmed(warmup, (step) => lr * gamma ** milestones.filter((milestone) => milestone <= step).length);
}

/** torch.optim.lr_scheduler.CosineAnnealingLR, without its rise again behind `steps`. */
export function cosineSchedule({ lr, steps, minLr = 0, warmup }: CosineOptions): Schedule {
  return warmed(warmup, (step) => {
    const part = Math.min(step / steps, 1);
    return minLr + ((lr - minLr) * (1 + Math.cos(Math.PI * part))) / 2;
  });
}

/** The warm-up multiplies whatever the schedule says, as in torchvision's references. */
function warmed(warmup: Warmup | undefined, schedule: Schedule): Schedule {
  if (!warmup || warmup.steps === 0) return schedule;
  const { steps, factor = 0.001 } = warmup;
  return (step) => schedule(step) * (factor + (1 - factor) * Math.min(step / steps, 1));
}
