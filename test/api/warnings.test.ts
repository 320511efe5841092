import test from 'ava';
import { resetWarnings, warnOnce } from '../../dist/warnings.js';

test.serial('a warning is emitted once for each key and message, with a code', async (t) => {
  const seen: (Error & { code?: string })[] = [];
  const listen = (warning: Error) => seen.push(warning);
  process.on('warning', listen);
  warnOnce('NLRCNN_TEST', 'one');
  warnOnce('NLRCNN_TEST', 'one');
  warnOnce('NLRCNN_TEST', 'two');
  warnOnce('NLRCNN_OTHER', 'one');
  resetWarnings();
  warnOnce('NLRCNN_TEST', 'one');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listen);
  t.deepEqual(
    seen.map(({ name, code, message }) => [name, code, message]),
    [
      ['NlrcnnWarning', 'NLRCNN_TEST', 'one'],
      ['NlrcnnWarning', 'NLRCNN_TEST', 'two'],
      ['NlrcnnWarning', 'NLRCNN_OTHER', 'one'],
      ['NlrcnnWarning', 'NLRCNN_TEST', 'one'],
    ],
  );
});
