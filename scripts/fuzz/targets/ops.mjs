import { anything, Data, mostly, number } from '../data.mjs';
import { Broken, ensure } from '../findings.mjs';
import { load } from '../package.mjs';

const { Tensor } = load('index.js');
const { ops, opsFor } = load('ops/internal.js');
const { Recorder } = load('device.js');
const { binding } = load('binding.js');

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
};
const DTYPES = Object.keys(ARRAYS);
const SIDES = [0, 1, -1, 2, 3, 7, 8, 16, 17, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53, 1.5, Number.NaN];

/** What one input builds: sizes that its tensors share, and the tensors, which are freed behind it. */
class Scene {
  constructor(data, recorder) {
    this.data = data;
    this.recorder = recorder;
    this.made = [];
    [this.n, this.c, this.o, this.k] = Array.from({ length: 4 }, () => data.int(6));
    this.c *= data.pick([1, 1, 4, 8]);
    [this.h, this.w] = Array.from({ length: 2 }, () => data.int(9));
  }

  /** A tensor, mostly of this shape and dtype; now and then of another, disposed of, or none. */
  tensor(shape, dtype = 'float32', most = 4) {
    const { data } = this;
    if (data.oneIn(40)) return anything(data);
    let own = shape;
    if (data.oneIn(16)) own = shape.map((side) => (data.oneIn(2) ? data.int(9) : side));
    if (data.oneIn(40)) own = [...own, data.int(4)];
    if (data.oneIn(40)) own = own.slice(1);
    const kind = data.oneIn(30) ? data.pick(DTYPES) : dtype;
    const count = own.reduce((a, b) => a * b, 1);
    if (this.recorder) return this.recorder.input(kind, own, data.oneIn(8));
    const value = () =>
      kind === 'float32'
        ? this.float()
        : data.oneIn(12)
          ? data.pick([-1, 255, -(2 ** 31), 2 ** 31 - 1])
          : data.byte() % most;
    const values = ARRAYS[kind].from({ length: count }, () => (kind === 'int64' ? BigInt(value()) : value()));
    const made = Tensor.from(values, own);
    this.made.push(made);
    if (data.oneIn(50)) made.dispose();
    return made;
  }

  float() {
    return this.data.oneIn(20) ? number(this.data) : (this.data.byte() - 100) / 16;
  }

  maybe(make) {
    return this.data.oneIn(3) ? make() : undefined;
  }

  pair(most = 4) {
    return mostly(this.data, () => [this.data.int(most), this.data.int(most)], 20);
  }

  list(make, most = 3) {
    return mostly(this.data, () => this.data.list(most, make), 30);
  }

  number(value) {
    return mostly(this.data, value, 20);
  }

  boxes(rows, columns = 4) {
    return this.tensor([rows, columns], 'float32');
  }

  free() {
    for (const tensor of this.made) tensor.dispose();
  }
}

const flag = (s) => s.number(s.data.oneIn(2));
const count = (s) => s.maybe(() => s.tensor([1], 'int32'));
const fraction = (s) => s.number(s.data.byte() / 255);
const loss = (s) => ({
  reduction: s.number(s.data.pick(['mean', 'sum'])),
  normalizer: s.maybe(() => s.float()),
});
const map = (s, channels = s.c) => s.tensor([s.n, channels, s.h, s.w]);
const conv = (s, groups = 1) => s.tensor([s.o, s.c / groups, s.k, s.k]);

/** Arguments of each op, mostly ones that fit together. */
const CALLS = {
  add: (s) => [map(s), map(s)],
  addBroadcast: (s) => [map(s), s.tensor([s.n, s.c])],
  axpby: (s) => [s.number(s.float()), s.list(() => map(s)), s.number(s.float()), s.list(() => map(s))],
  batchNorm: (s) => [
    map(s),
    {
      weight: s.tensor([s.c]),
      bias: s.tensor([s.c]),
      eps: s.maybe(() => s.float()),
      residual: s.maybe(() => map(s)),
      relu: flag(s),
      runningMean: s.maybe(() => s.tensor([s.c])),
      runningVar: s.maybe(() => s.tensor([s.c])),
      momentum: s.maybe(() => s.float()),
    },
  ],
  boxClip: (s) => [s.boxes(s.n), s.pair(50)],
  boxDecode: (s) => [s.boxes(s.n), s.tensor([s.n, 4 * s.data.int(3)]), s.number([1, 1, 1, 1])],
  boxDetections: (s) => [
    s.tensor([s.n, s.k]),
    s.tensor([s.n, 4 * s.k]),
    s.boxes(s.n),
    {
      imageSize: s.pair(50),
      scoreThresh: fraction(s),
      nmsThresh: fraction(s),
      detectionsPerImg: s.number(s.data.int(9)),
      count: count(s),
    },
  ],
  boxRescale: (s) => [s.boxes(s.n), s.pair(3), s.maybe(() => s.tensor([8]))],
  concat: (s) => [s.list(() => map(s))],
  conv2d: (s) => {
    const groups = s.data.pick([1, 1, 1, 2, s.c]);
    return [
      map(s),
      conv(s, groups || 1),
      {
        bias: s.maybe(() => s.tensor([s.o])),
        stride: s.pair(),
        padding: s.pair(),
        dilation: s.pair(),
        groups: s.number(groups),
        relu: flag(s),
        count: count(s),
      },
    ];
  },
  convTranspose2d: (s) => [
    map(s),
    s.tensor([s.c, s.o, 2, 2]),
    { bias: s.maybe(() => s.tensor([s.o])), relu: flag(s) },
  ],
  gradNorm: (s) => [
    s.list(() => map(s)),
    { maxNorm: s.maybe(() => s.float()), factor: s.maybe(() => s.float()) },
  ],
  groupNorm: (s) => [
    map(s),
    { weight: s.tensor([s.c]), bias: s.tensor([s.c]), groups: s.number(s.data.int(9)), relu: flag(s) },
  ],
  linear: (s) => [
    s.tensor([s.n, s.c]),
    s.tensor([s.o, s.c]),
    {
      bias: s.maybe(() => s.tensor([s.o])),
      accumulate: s.maybe(() => s.tensor([s.n, s.o])),
      count: count(s),
      relu: flag(s),
    },
  ],
  maskLoss: (s) => [
    s.tensor([s.n, s.k, s.h, s.h]),
    s.tensor([s.n], 'int32', 6),
    s.tensor([s.n, s.h, s.h]),
    { rois: s.maybe(() => s.data.int(5)) },
  ],
  maskProbs: (s) => [
    map(s),
    {
      weight: s.tensor([s.k, s.c, 1, 1]),
      bias: s.tensor([s.k]),
      labels: s.tensor([s.n], 'int32', 6),
      count: count(s),
    },
  ],
  maskRle: (s) => [
    s.tensor([s.n, s.h, s.h]),
    s.boxes(s.n),
    {
      height: s.number(s.data.int(40)),
      width: s.number(s.data.int(40)),
      threshold: fraction(s),
      count: count(s),
      geometry: s.maybe(() => s.tensor([8])),
    },
  ],
  maskTargets: (s) => [
    s.tensor([s.h * s.w], 'uint8', 2),
    s.tensor([s.n, 9], 'int32', 9),
    s.boxes(s.n),
    { size: s.number(s.data.int(9)) },
  ],
  matchBoxes: (s) => [
    s.boxes(s.n),
    s.boxes(s.k),
    {
      high: fraction(s),
      low: fraction(s),
      lowQuality: flag(s),
      crowd: s.maybe(() => s.tensor([s.k], 'uint8', 2)),
      crowdThresh: s.maybe(() => s.float()),
    },
  ],
  maxPool2d: (s) => [map(s), { kernel: s.pair(), stride: s.pair(), padding: s.pair() }],
  nms: (s) => [
    s.boxes(s.n),
    s.tensor([s.n]),
    { threshold: fraction(s), groups: s.maybe(() => s.tensor([s.n], 'int32')) },
  ],
  nonLocalRoi: (s) => {
    const dense = (out, into) => ({ weight: s.tensor([out, into, 1, 1]), bias: s.tensor([out]) });
    return [
      map(s),
      {
        phi: dense(s.o, s.c),
        psi: dense(s.o, s.c),
        g1x1: dense(s.k, s.c),
        g3x3: { weight: s.tensor([s.k, s.k, 3, 3]), bias: s.tensor([s.k]) },
      },
      {
        pairwise: s.number(s.data.pick(['embedded_gaussian', 'gaussian', 'dot_product', 'concatenation'])),
        scale: s.number(s.data.pick(['none', 'rsqrt'])),
        numHeads: s.maybe(() => s.data.int(4)),
        segments: s.maybe(() => s.tensor([s.n], 'int32', 3)),
      },
    ];
  },
  pasteMasks: (s) => [
    s.tensor([s.n, s.h, s.h]),
    s.boxes(s.n),
    {
      height: s.number(s.data.int(40)),
      width: s.number(s.data.int(40)),
      threshold: fraction(s),
      count: count(s),
    },
  ],
  preprocess: (s) => [
    s.tensor([s.h, s.w, s.data.pick([1, 3])], s.data.pick(['uint8', 'uint16', 'float32']), 200),
    {
      outputSize: s.pair(20),
      paddedSize: s.pair(40),
      mean: s.number([0.5, 0.5, 0.5]),
      std: s.number([0.2, 0.2, 0.2]),
      percentiles: s.maybe(() => [1, 99]),
      geometry: s.maybe(() => s.tensor([8])),
    },
  ],
  reshape: (s) => [map(s), s.number(() => [s.n * s.c, s.h * s.w])],
  roiAlign: (s) => [
    s.list(() => map(s)),
    s.boxes(s.n, s.data.pick([4, 5])),
    {
      outputSize: s.pair(8),
      spatialScales: s.number(() => s.data.list(3, () => 1 / (1 + s.data.int(8)))),
      samplingRatio: s.maybe(() => s.data.int(4)),
      aligned: flag(s),
      count: count(s),
    },
  ],
  rpnLoss: (s) => [
    s.list(() => s.tensor([s.n, s.k, s.h, s.w])),
    s.list(() => s.tensor([s.n, 4 * s.k, s.h, s.w])),
    { indices: s.tensor([s.o], 'int32', 200), labels: s.tensor([s.o]), targets: s.tensor([s.o, 4]) },
  ],
  rpnProposals: (s) => [
    [s.tensor([1, s.k, s.h, s.w])],
    [s.tensor([1, 4 * s.k, s.h, s.w])],
    {
      cellAnchors: s.number(() => Array.from({ length: 4 * s.k }, () => s.float())),
      imageSize: s.pair(60),
      paddedSize: s.pair(60),
      preNmsTopN: s.number(s.data.int(20)),
      postNmsTopN: s.number(s.data.int(20)),
      nmsThresh: fraction(s),
      scoreThresh: fraction(s),
    },
  ],
  scale: (s) => [map(s), s.maybe(() => s.tensor([1])), s.maybe(() => s.float())],
  scaleRows: (s) => [conv(s), s.tensor([s.o])],
  sgd: (s) => {
    const list = () => s.list(() => map(s), 2);
    return [
      { parameters: list(), gradients: list(), momentumBuffers: s.maybe(list) },
      { lr: s.number(s.float()), momentum: s.maybe(() => s.float()), nesterov: flag(s) },
    ];
  },
  sigmoidCrossEntropy: (s) => [s.tensor([s.n]), s.tensor([s.n]), loss(s)],
  smoothL1: (s) => [s.tensor([s.n, 4]), s.tensor([s.n, 4]), { beta: s.maybe(() => s.float()), ...loss(s) }],
  softmaxCrossEntropy: (s) => [s.tensor([s.n, s.k]), s.tensor([s.n], 'int32', 6), loss(s)],
  splitChannels: (s) => [conv(s), s.number(s.data.int(9))],
  sumPlaces: (s) => [s.tensor([s.n, s.c * s.k]), s.number(s.k)],
  tapBias: (s) => [
    s.tensor([s.n, s.c]),
    s.tensor([s.o, s.c, 3, 3]),
    { height: s.number(s.h), width: s.number(s.w), bias: s.maybe(() => s.tensor([s.o])), count: count(s) },
  ],
  topk: (s) => [s.tensor([s.n * s.h]), s.number(s.data.int(9))],
  upsampleAdd: (s) => [map(s), s.tensor([s.n, s.c, 2 * s.h, 2 * s.w])],
};
const NAMES = Object.keys(CALLS);
/** Those that have no arguments of their own here, with tensors of any shape. */
const OTHERS = Object.keys(ops).filter((name) => !Object.hasOwn(CALLS, name));

const outputsOf = (value, depth = 0) => {
  if (value instanceof Tensor) return [value];
  if (typeof value !== 'object' || value === null || depth > 2) return [];
  return Object.values(value).flatMap((own) => outputsOf(own, depth + 1));
};

async function eager(data) {
  const scene = new Scene(data);
  let outputs = [];
  try {
    let args;
    let name;
    if (data.oneIn(8)) {
      name = data.pick([...OTHERS, ...NAMES]);
      data.wild++;
      args = Array.from({ length: data.int(5) }, () =>
        data.pick([() => anything(data), () => map(scene), () => scene.list(() => map(scene)), () => ({})])(),
      );
    } else {
      name = data.pick(NAMES);
      args = CALLS[name](scene);
    }
    outputs = outputsOf(ops[name](...args));
    for (const output of outputs) {
      const { shape, data: values } = await output.read();
      ensure(
        values.length === shape.reduce((a, b) => a * b, 1),
        () => `${name} gives ${values.length} values of shape ${shape}`,
      );
    }
    return name;
  } finally {
    scene.free();
    for (const output of outputs) output.dispose();
  }
}

async function recorded(data) {
  const recorder = data.oneIn(20) ? new Recorder(anything(data), anything(data)) : new Recorder();
  const scene = new Scene(data, recorder);
  const name = data.pick(NAMES);
  const outputs = outputsOf(opsFor(recorder)[name](...CALLS[name](scene)));
  const plan = recorder.finish(data.oneIn(20) ? anything(data) : outputs);
  try {
    if (data.oneIn(3))
      await plan.run(
        mostly(data, () => data.list(4, () => mostly(data, () => new Float32Array(data.int(100))))),
      );
  } finally {
    plan.dispose();
  }
  return `recorded ${name}`;
}

const side = (data) => (data.oneIn(8) ? data.pick(SIDES) : data.int(6));

const KINDS = [
  eager,
  eager,
  eager,
  eager,
  recorded,
  async (data) => {
    const shape = mostly(data, () => data.list(5, () => side(data)), 10);
    const count = Array.isArray(shape)
      ? shape.reduce((a, b) => a * Number(typeof b === 'number' ? b : 1), 1)
      : 1;
    const length = Number.isInteger(count) && count >= 0 && count < 5000 ? count : 3;
    const dtype = data.pick(DTYPES);
    const values = mostly(
      data,
      () => ARRAYS[dtype].from({ length }, () => (dtype === 'int64' ? BigInt(data.byte()) : data.byte())),
      10,
    );
    const tensor = data.oneIn(10) ? Tensor.from(values, shape, anything(data)) : Tensor.from(values, shape);
    const back = await tensor.read();
    ensure(
      back.dtype === tensor.dtype && back.data.every((value, i) => value === values[i]),
      'Tensor.from(x).read() is not x',
    );
    if (data.oneIn(2)) await tensor.toNdarray();
    tensor.dispose();
    if (data.oneIn(2)) await tensor.read();
  },
  async (data) => {
    const native = binding();
    const name = data.pick([...native.ops(), 'nothing', '']);
    const scene = new Scene(data);
    try {
      const inputs = mostly(data, () => data.list(6, () => mostly(data, () => map(scene)?.native)), 20);
      const attrs = mostly(
        data,
        () =>
          Object.fromEntries(
            data.list(3, () => [
              data.pick([
                'stride',
                'padding',
                'groups',
                'threshold',
                'size',
                'height',
                'width',
                'shape',
                'a',
              ]),
              anything(data),
            ]),
          ),
        20,
      );
      for (const output of native.op(name, inputs, attrs)) await native.read(output);
    } finally {
      scene.free();
    }
  },
];

export const options = { maxLength: 700 };
export const seeds = () =>
  NAMES.flatMap((_, i) =>
    [0, 4].map((kind) =>
      Buffer.from([kind, 2, 3, 2, 1, 0, 4, 5, 0, i, ...Buffer.from('\x01\x02\x03\x04\x05'.repeat(60))]),
    ),
  );

export async function run(bytes) {
  const data = new Data(bytes);
  try {
    return await KINDS[data.int(KINDS.length)](data);
  } catch (error) {
    // Where all arguments were of their types, what was refused must have been refused by a check.
    if (
      data.wild === 0 &&
      error?.code &&
      (error.cause instanceof TypeError || error.cause instanceof RangeError)
    ) {
      throw new Broken(`a refusal by accident: ${error.message}`);
    }
    throw error;
  }
}
