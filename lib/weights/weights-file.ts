export interface WeightsEntry {
  readonly shape: readonly number[];
  /** As safetensors calls it, or in words what the tensor is that cannot be read ("quantized"). */
  readonly dtype: string;
}

/** An open file of named tensors, read one by one. */
export interface WeightsFile {
  /** What errors call it. */
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, WeightsEntry>;
  /** As float32, row-major; @throws NlrcnnError ERR_NLRCNN_WEIGHTS for a dtype that is not `isFloat`. */
  read(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Whether a tensor of this dtype can be read as float32. */
export function isFloat(dtype: string): boolean {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16' || dtype === 'F64';
}

/** Little-endian elements of dtype F64, F32, F16 or BF16, as float32. */
export function toFloat32(dtype: string, bytes: Uint8Array): Float32Array {
  const size = dtype === 'F64' ? 8 : dtype === 'F32' ? 4 : 2;
  const count = Math.floor(bytes.length / size);
  // Typed arrays need their bytes aligned.
  const buffer = bytes.byteOffset % size ? bytes.slice().buffer : bytes.buffer;
  const offset = bytes.byteOffset % size ? 0 : bytes.byteOffset;
  if (dtype === 'F32') return new Float32Array(buffer, offset, count);
  if (dtype === 'F64') return Float32Array.from(new Float64Array(buffer, offset, count));
  const halves = new Uint16Array(buffer, offset, count);
  return dtype === 'BF16' ? fromBfloat16(halves) : fromFloat16(halves);
}

function fromBfloat16(values: Uint16Array): Float32Array {
  const bits = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = values[i]! << 16;
  return new Float32Array(bits.buffer);
}

let table: Float32Array | undefined;

export function fromFloat16(values: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfToNumber(bits));
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = table[values[i]!]!;
  return out;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** To IEEE 754 binary16, rounded to nearest, ties to even; beyond 65519 to infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const rest = bits[i]! & 0x7fff_ffff;
    if (rest > 0x7f80_0000) out[i] = sign | 0x7e00;
    else if (rest >= 0x477f_f000) out[i] = sign | 0x7c00;
    else if (rest >= 0x3880_0000) {
      // Normal: 10 bits of fraction, the exponent's bias from 127 to 15; a carry moves into the exponent as it should.
      const rounded = rest + 0xfff + ((rest >>> 13) & 1);
      out[i] = sign | ((rounded - 0x3800_0000) >>> 13);
    } else out[i] = sign | roundHalfEven(Math.abs(values[i]!) * 2 ** 24);
  }
  return out;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
