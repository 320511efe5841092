import test from 'ava';
import { Model } from '../../dist/model.js';
import { MODEL_CASES, photoPath, seededModel } from '../helpers/model-cases.js';

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
