import test from 'ava';
import { countNonFinite, Faults } from '../../dist/weights/faults.js';

test('NaN and infinity are counted wherever they stand, and nothing else is', (t) => {
  const finite = [0, -0, 1, -1, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1.17549435e-38];
  for (let length = 0; length < 40; length++) {
    const data = Float32Array.from({ length }, (_, i) => finite[i % finite.length]!);
    t.is(countNonFinite(data), 0);
    for (let i = 0; i < length; i++) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const bent = data.slice();
        bent[i] = value;
        bent[length - 1] = value;
        t.is(countNonFinite(bent), i === length - 1 ? 1 : 2, `${length} ${i} ${value}`);
      }
    }
  }
  // Any NaN, signalling or of either sign; a view into a larger array.
  const bits = Uint32Array.of(0x7f800001, 0x7fffffff, 0xff800001, 0xffffffff, 0x7f7fffff, 0xff7fffff);
  const view = new Float32Array(bits.buffer, 4, 4);
  t.is(countNonFinite(view), 3);
});

test('an error names ten tensors and counts the rest', (t) => {
  const faults = new Faults();
  for (let i = 0; i < 12; i++) faults.look(`layer${i}.weight`, Float32Array.of(1, Number.NaN));
  const error = t.throws(() => faults.check('a.pth'), { code: 'ERR_NLRCNN_WEIGHTS' });
  t.regex(
    error!.message,
    /^a\.pth: expected finite weights but 12 tensors are not:\n {2}layer0\.weight \(1 of 2/,
  );
  t.regex(error!.message, /\n {2}… and 2 more$/);
  t.is(error!.message.split('\n').length, 12);
  t.notThrows(() => new Faults().check('a.pth'));
});
