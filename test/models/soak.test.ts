import test from 'ava';
import { Model } from '../../dist/model.js';
import { MODEL_CASES, photoPath, seededModel } from '../helpers/model-cases.js';
import { runNode } from '../helpers/run-node.js';

const rss = () => process.memoryUsage().rss;

test('300 pictures in a row: memory after the last within 5 % of that after the 30th', async (t) => {
  const modelCase = MODEL_CASES.find(({ name }) => name === 'nl-box')!;
  const { config, parameters } = seededModel(modelCase, 'cpu');
  using model = new Model('soak', config, 'cpu', 'fp32', parameters);
  let early = 0;
  for (let i = 1; i <= 300; i++) {
    await model.segment(photoPath(modelCase.photo));
    if (i === 30) early = rss();
  }
  const growth = rss() / early - 1;
  t.true(growth <= 0.05, `grew by ${(100 * growth).toFixed(1)} %`);
});

// As `npm run check:soak`, in short: models that were not freed would be half of what the process holds.
test('images of all kinds, broken ones, aborts and disposals, four at once: each outcome is right, memory stays', async (t) => {
  const sizes = ['--images', '100', '--settled', '30', '--kinds', '12', '--longest', '300'];
  const bounds = ['--dispose-every', '10', '--growth', '25'];
  const { code, stdout, stderr } = await runNode([
    '--unhandled-rejections=strict',
    '--no-warnings', // of limits that results reach
    'scripts/check-soak.mjs',
    ...sizes,
    ...bounds,
  ]);
  t.is(stderr, '');
  const report = JSON.parse(stdout);
  t.deepEqual(report.problems, []);
  t.is(code, 0);
  t.true(report.outcomes.result > 0 && report.outcomes.control > 0 && report.outcomes['model replaced'] > 3);
});
