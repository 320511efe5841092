import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { cosineSchedule, multiStepSchedule, stepSchedule } from '../../dist/optim/schedules.js';

const file = join(__dirname, '..', '..', 'test', 'goldens', 'schedules.json');
const goldens = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number[]>;

for (const steps of [0, 12]) {
  const common = { lr: 0.02, warmup: { steps, factor: 0.01 } };
  const schedules = {
    step: stepSchedule({ ...common, stepSize: 7, gamma: 0.5 }),
    multi_step: multiStepSchedule({ ...common, milestones: [10, 25, 40] }),
    cosine: cosineSchedule({ ...common, steps: 60, minLr: 1e-5 }),
  };
  for (const [name, schedule] of Object.entries(schedules)) {
    test(`${name} with ${steps} steps of warm-up has torch's rates`, (t) => {
      for (const [step, expected] of goldens[`${name}-${steps}`]!.entries())
        t.true(Math.abs(schedule(step) / expected - 1) < 1e-9, `step ${step}`);
    });
  }
}

test('cosine stays at its lowest behind its end', (t) => {
  const schedule = cosineSchedule({ lr: 1, steps: 10, minLr: 0.25 });
  t.is(schedule(10), 0.25);
  t.is(schedule(15), 0.25);
});
