// The fuzzer's own test: inputs that do what it must find.
import { load } from '../package.mjs';

const { NlrcnnError } = load('index.js');
const kept = [];

const KINDS = {
  crash: () => process.kill(process.pid, 'SIGSEGV'),
  hang: () => {
    for (;;);
  },
  memory: () => kept.push(Buffer.alloc(400 * 2 ** 20, 1)),
  allocation: () => new Uint8Array(2 ** 32),
  type: () => undefined.length,
  stray: async () => void Promise.reject(new Error('stray')),
  internal: () => {
    throw new NlrcnnError('ERR_NLRCNN_INTERNAL', 'wrong');
  },
  refused: () => {
    throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', 'refused');
  },
};

export const seeds = () => [Buffer.from('a seed')];
export const options = { dictionary: ['!'] };

export function run(bytes) {
  const text = bytes.toString('latin1');
  if (Object.hasOwn(KINDS, text)) return KINDS[text]();
  if (text.includes('!')) throw new TypeError('an exclamation mark');
  return `${bytes.length} bytes`;
}
