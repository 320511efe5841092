/** The whole native surface (native/addon). A test compares it with what the binary exports. */

export type DType = 'float32' | 'bfloat16' | 'float16' | 'uint8' | 'uint16' | 'int32' | 'int64';
export type TypedArray = Float32Array | Uint8Array | Uint16Array | Int32Array | BigInt64Array;

/** Settings of an op call; booleans travel as 0 or 1. */
export type NativeAttrs = Record<string, number | string | boolean | readonly number[]>;

/** A handle to a tensor on a device, or (inside a Recorder) to a value of the recording. */
export interface NativeTensor {
  readonly dtype: DType;
  /** -1 marks a dimension that only the run of the op tells. */
  readonly shape: number[];
  /** "cpu" or "cuda:N"; null for values of a recording. */
  readonly device: string | null;
  /** Bytes held on the device, 0 for values of a recording and after dispose(). */
  readonly bytes: number;
  readonly disposed: boolean;
  /** Frees the device memory at once; an op that still waits in the queue keeps its own reference. */
  dispose(): void;
}

/** What came down from the device; bf16 and f16 as their 16-bit patterns. */
export interface HostTensor {
  dtype: DType;
  shape: number[];
  data: TypedArray;
}

/** A recorded network, replayed in one call. */
export interface NativePlan {
  /** Bytes of the shared arena that a run needs. */
  readonly arenaBytes: number;
  readonly opCount: number;
  /** Runs with `inputs` (same dtypes and byte lengths as recorded; partial ones may be shorter) and gives the recorded outputs. */
  run(inputs: readonly TypedArray[]): Promise<HostTensor[]>;
  /** As run(), and the microseconds of each op: [name, µs][]; on CUDA the last is "replay", all as one graph. */
  profile(inputs: readonly TypedArray[]): Promise<[string, number][]>;
  dispose(): void;
}

/** Collects ops instead of running them. */
export interface NativeRecorder {
  /** A `partial` input may hold fewer values than its shape says. */
  input(dtype: DType, shape: readonly number[], partial?: boolean): NativeTensor;
  op(name: string, inputs: readonly (NativeTensor | null)[], attrs: NativeAttrs): NativeTensor[];
  finish(outputs: readonly NativeTensor[]): NativePlan;
}

export interface CpuInfo {
  /** oneDNN's effective instruction set, for example "avx512_core_bf16". */
  isa: string;
  threads: number;
  channelBlock: number;
  onednn: string;
}

export interface Gpu {
  name: string;
  /** "9.0" */
  computeCapability: string;
  /** Bytes. */
  memory: number;
  freeMemory: number;
}

export interface CudaInfo {
  /** Path of the plugin, "" where this build has none. */
  plugin: string;
  /** Why CUDA cannot be used, "" where it can. */
  problem: string;
  /** Path of each library that the plugin needs, "" for a missing one. */
  libraries: Record<string, string>;
  /** What the plugin has kernels for, as "80 90 90a 90-ptx". */
  architectures: string;
  /** Of the libraries that were loaded. */
  versions: string;
  gpus: Gpu[];
}

export interface Binding {
  /** `device` "cpu" or "cuda:N", `precision` "fp32", "tf32", "fp16" or "bf16". */
  Recorder: new (
    device?: string,
    precision?: string,
  ) => NativeRecorder;
  /** Copies `data` into a new tensor on a device; `data.byteLength` must fit dtype and shape. */
  tensor(dtype: DType, shape: readonly number[], data: TypedArray, device?: string): NativeTensor;
  /** Queues an op on the device of its inputs and returns its outputs at once. Throws for wrong arguments; a failure while running rejects read(). */
  op(
    name: string,
    inputs: readonly (NativeTensor | null)[],
    attrs: NativeAttrs,
    precision?: string,
  ): NativeTensor[];
  read(tensor: NativeTensor): Promise<HostTensor>;
  ops(): string[];
  /** Every `code` of an error. */
  codes(): string[];
  /** What native errors are made of: `new Class(code, message)`; plain Errors with a `code` before the first call. */
  useErrorClass(Class: new (code: never, message: string) => Error): void;
  /** Ends the work of this environment and waits for what runs; later work is refused. */
  close(): void;
  cpuInfo(): CpuInfo;
  cudaInfo(): CudaInfo;

  rleEncode(bitmap: Uint8Array, height: number, width: number): string;
  rleDecode(counts: string, height: number, width: number): Uint8Array;
  rleArea(counts: string, height: number, width: number): number;
  /** x, y, width, height. */
  rleToBbox(counts: string, height: number, width: number): [number, number, number, number];
  rleMerge(counts: readonly string[], height: number, width: number, intersect: boolean): string;
  /** Row-major [detections, groundTruths]. */
  rleIou(
    detections: readonly string[],
    groundTruths: readonly string[],
    height: number,
    width: number,
    crowd: Uint8Array,
  ): Float64Array;
  rleFromPolygons(polygons: readonly (readonly number[])[], height: number, width: number): string;
  rleFromBbox(bbox: readonly number[], height: number, width: number): string;
}
