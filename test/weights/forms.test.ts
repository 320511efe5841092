import { join } from 'node:path';
import test from 'ava';
import { resetWarnings } from '../../dist/warnings.js';
import { readStateDict } from '../../dist/weights/load.js';
import { readJson } from '../helpers/model-cases.js';

const FORMS = join(__dirname, '..', '..', 'test', 'fixtures', 'checkpoints', 'forms');
const { state, forms } = readJson('fixtures', 'checkpoints', 'forms.json') as {
  state: Record<string, { shape: number[]; values: number[] }>;
  forms: Record<string, { error: string | null; warning: string | null }>;
};

const warnings: string[] = [];
process.on('warning', ({ name, message }) => {
  if (name === 'NlrcnnWarning') warnings.push(message);
});

for (const [name, { error, warning }] of Object.entries(forms)) {
  // One after the other, as warnings are the process's.
  test.serial(`${name}: ${error ?? 'the state dict'}`, async (t) => {
    resetWarnings();
    warnings.length = 0;
    const reading = readStateDict(join(FORMS, name));
    if (error !== null) {
      const thrown = await t.throwsAsync(reading, { code: 'ERR_NLRCNN_WEIGHTS' });
      t.true(thrown!.message.includes(error), thrown!.message);
      t.true(thrown!.message.length < 600, thrown!.message);
      return;
    }
    const found = await reading;
    t.deepEqual([...found.keys()].sort(), Object.keys(state).sort());
    for (const [key, { shape, values }] of Object.entries(state)) {
      t.deepEqual(found.get(key)!.shape, shape, key);
      t.deepEqual(Array.from(found.get(key)!.data), values, key);
    }
    await new Promise(setImmediate);
    t.is(warnings.length, warning === null ? 0 : 1, warnings.join());
    if (warning !== null) t.true(warnings[0]!.includes(warning), warnings[0]);
  });
}
