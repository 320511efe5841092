import test from 'ava';
import { binding } from '../../dist/binding.js';
import { ops } from '../../dist/ops/internal.js';
import { onDevices } from '../helpers/device.js';
import { golden, loadCases, loadGoldens } from '../helpers/goldens.js';
import { place, runCase } from '../helpers/run-op.js';

const goldens = loadGoldens('paste_masks');

/** The golden's bits, first pixel in the highest bit, as bytes. */
function unpack(bits: ArrayLike<number>, n: number): Uint8Array {
  return Uint8Array.from({ length: n }, (_, i) => (bits[i >> 3]! >> (7 - (i & 7))) & 1);
}

for (const [device, testCase] of onDevices(loadCases('paste_masks'))) {
  // Tensors of a case are [N, 1, M, M] as in torchvision; the op takes [N, M, M].
  const masks = testCase.inputs.masks!;
  masks.shape = [masks.shape[0]!, ...masks.shape.slice(-2)];
  const [height, width] = testCase.attrs.image_size as [number, number];

  test(`${device} paste_masks ${testCase.name} covers torchvision's pixels`, async (t) => {
    const { bitmaps } = await runCase('paste_masks', testCase, { device });
    const expected = unpack(golden(goldens, `${testCase.name}.bits`).data, bitmaps!.data.length);
    t.deepEqual(bitmaps!.data, expected);
  });

  test(`${device} mask_rle ${testCase.name} is the RLE of the pasted masks`, async (t) => {
    const { masks, boxes } = place(testCase, { device });
    const { bytes, offsets } = ops.maskRle(masks!, boxes!, { height, width, threshold: 0.5 });
    const { bitmaps } = await runCase('paste_masks', testCase, { device });
    const text = Buffer.from((await bytes.read()).data as Uint8Array).toString('latin1');
    const at = (await offsets.read()).data as Int32Array;
    const n = bitmaps!.shape[0]!;
    t.is(at.length, n + 1);
    for (let i = 0; i < n; i++) {
      const bitmap = (bitmaps!.data as Uint8Array).subarray(i * height * width, (i + 1) * height * width);
      t.is(text.slice(at[i], at[i + 1]), binding().rleEncode(bitmap, height, width));
    }
  });
}
