import test from 'ava';
import {
  gradientLimit,
  OP_BASE,
  ownError,
  PARAMETER_BASE,
  PARAMETER_MOST,
  parameterLimit,
} from './helpers/float32.js';
import { type Golden, loadGoldens } from './helpers/goldens.js';
import { GRADIENT_SEED, gradientCases, gradientError } from './helpers/gradients.js';
import type { InputSpec } from './helpers/inputs.js';
import { tapeGradients } from './helpers/tape-gradients.js';
import { TRAINING_CASES } from './helpers/training-cases.js';

// How far a gradient may be from the expected one, the criterion of the tests of gradients, is tested here. Any GPU has the
// limits of this one, whether there is one or not.
const GPU = 'cuda:0';
const FAULT = 1e-4;

const norm = ({ data }: Golden) => Math.hypot(...(data as Float32Array));

for (const kind of ['gradients', 'training'] as const) {
  // The bias of psi behind a softmax, for one, is zero by construction.
  const goldens = [...loadGoldens(kind)].filter(([, value]) => norm(value) >= 1e-9);

  test(`what float32 costs is known of every gradient of ${kind}`, (t) => {
    t.true(goldens.length > 100);
    for (const [key] of goldens) t.is(typeof ownError(kind, key), 'number', key);
  });

  test(`few gradients of ${kind} are allowed more than the base, and on the CPU none`, (t) => {
    const wider = goldens
      .filter(([key]) => gradientLimit(kind, key, GPU, false) > OP_BASE)
      .map(([key]) => key);
    t.true(wider.length <= 0.02 * goldens.length, wider.join(' '));
    for (const [key] of goldens) t.is(gradientLimit(kind, key, 'cpu'), OP_BASE);
  });

  test(`no gradient of ${kind} may be off by ${FAULT} of itself`, (t) => {
    for (const [key, value] of goldens) {
      const wrong = (value.data as Float32Array).map((v) => v * (1 + FAULT));
      const error = gradientError(wrong, value).norm;
      t.true(error > gradientLimit(kind, key, GPU, false), `${key}: ${gradientLimit(kind, key, GPU, false)}`);
    }
  });
}

/** A factor that is off by `FAULT` everywhere, as a wrong term would be. */
const planted = (spec: InputSpec) =>
  ({ ...spec, lo: spec.lo! * (1 + FAULT), hi: spec.hi! * (1 + FAULT) }) as InputSpec;

const small = gradientCases('non_local_roi').filter(({ testCase }) => {
  const [rois] = testCase.inputs.x!.shape!;
  return rois! > 1 && rois! <= 12;
});

for (const gradientCase of small) {
  const { testCase, expected, limit } = gradientCase;
  test(`a factor off by ${FAULT} is seen in gradients of non_local_roi ${testCase.name}`, async (t) => {
    for (const factor of ['phi.weight', 'psi.weight', 'g_1x1.weight', 'g_3x3.weight']) {
      const spec = testCase.inputs[factor];
      if (!spec) continue;
      const inputs = { ...testCase.inputs, [factor]: planted(spec) };
      const wrong = { ...gradientCase, testCase: { ...testCase, inputs } };
      const found = await tapeGradients('non_local_roi', wrong, { device: 'cpu' }, GRADIENT_SEED);
      const seen = [...expected].filter(
        ([name, value]) =>
          norm(value) >= 1e-9 && gradientError(found.get(name)!, value).norm > limit(name, GPU),
      );
      t.true(seen.length > 0, factor);
    }
  });
}

for (const { name, config } of TRAINING_CASES) {
  test(`the limit of every gradient of ${name} is known; with frozen norms it is the base on the CPU`, (t) => {
    const keys = [...loadGoldens(`training/${name}`).keys()].filter((key) => key.startsWith('norm/'));
    t.true(keys.length > 50);
    for (const key of keys) {
      const parameter = key.slice(5);
      const [cpu, gpu] = [
        parameterLimit(name, parameter, 'cpu'),
        parameterLimit(name, parameter, GPU, false),
      ];
      t.true(cpu >= PARAMETER_BASE && cpu <= gpu && gpu <= PARAMETER_MOST, parameter);
      if (config.norm !== 'batch')
        t.true(cpu === PARAMETER_BASE && gpu <= 0.01, `${parameter}: ${cpu}, ${gpu}`);
    }
  });
}

test('a parameter of which no error is known has no limit', (t) => {
  const message = /Expected an error of backbone.none/;
  t.throws(() => parameterLimit('r18', 'backbone.none', 'cpu'), { message });
});
