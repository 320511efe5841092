import { type ByteSource, type Bytes, badWeights, openSource, toSource } from './byte-source.js';
import { HEAD, identify } from './identify.js';
import { parsePytorch } from './pytorch.js';
import { SafetensorsFile } from './safetensors.js';
import type { WeightsFile } from './weights-file.js';

/**
 * A safetensors file or a PyTorch checkpoint, told by its content and not by its name.
 * @throws NlrcnnError ERR_NLRCNN_IO where it cannot be opened, ERR_NLRCNN_WEIGHTS that says what it is instead.
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  const source = await openSource(path);
  try {
    return await parseWeights(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same of bytes in memory, or another source of them. */
export async function parseWeights(bytes: Bytes): Promise<WeightsFile> {
  const source: ByteSource = toSource(bytes);
  const found = identify(await source.read(0, Math.min(HEAD, source.size)), source.size);
  if ('what' in found) {
    const what = source.size === 0 ? 'has 0 bytes' : `is ${found.what}`;
    throw badWeights(
      source.name,
      `a PyTorch checkpoint or a safetensors file but it ${what}: ${found.advice}`,
    );
  }
  return found.form === 'safetensors' ? SafetensorsFile.parse(source) : parsePytorch(source);
}
