import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { binding } from '../../dist/binding.js';
import { ERROR_CODES } from '../../dist/errors.js';

const ROOT = join(__dirname, '..', '..');
const declarations = readFileSync(join(ROOT, 'binding.d.ts'), 'utf8');

/** Names of an interface's members in binding.d.ts. */
function members(name: string): string[] {
  const body = declarations.match(new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`))![1]!;
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map((match) => match[1]!).sort();
}

test('the binary exports what binding.d.ts declares', (t) => {
  t.deepEqual(Object.keys(binding()).sort(), members('Binding'));
});

test('its classes have the declared members', (t) => {
  const names = (object: object) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(object))
      .filter((name) => name !== 'constructor')
      .sort();
  const { Recorder, tensor, cpuInfo } = binding();
  const recorder = new Recorder();
  const input = recorder.input('float32', [1, 4]);
  t.deepEqual(names(recorder), members('NativeRecorder'));
  t.deepEqual(names(tensor('float32', [0], new Float32Array(0))), members('NativeTensor'));
  t.deepEqual(names(recorder.finish([input])), members('NativePlan'));
  t.deepEqual(Object.keys(cpuInfo()).sort(), members('CpuInfo'));
});

test('each op has a contract, a kernel, a wrapper of its name', (t) => {
  const stems = (folder: string, ending: string) =>
    readdirSync(join(ROOT, folder)).map((name) =>
      name.endsWith(ending) ? name.slice(0, -ending.length) : '',
    );
  const ops = binding().ops();
  t.true(ops.length > 15);
  for (const op of ops) {
    t.true(stems('native/ops', '.h').includes(op), op);
    t.true(stems('native/cpu', '.cpp').includes(op), op);
    t.true(stems('native/cuda', '.cu').includes(op), op);
    if (op !== 'reorder') t.true(stems('lib/ops', '.ts').includes(op), op);
  }
});

test('native and JavaScript errors have one list of codes', (t) => {
  t.deepEqual(binding().codes(), [...ERROR_CODES]);
});

test('Node-API is called in one file alone, which checks every call', (t) => {
  const folder = join(ROOT, 'native', 'addon');
  for (const name of readdirSync(folder)) {
    const code = readFileSync(join(folder, name), 'utf8');
    if (name !== 'js.cpp') t.notRegex(code, /Napi::|#include <(napi|node_api|js_native_api)\.h>/, name);
  }
  const calls = readFileSync(join(folder, 'js.cpp'), 'utf8').matchAll(
    /^.*\bnapi_(?!value|status|ok\b)\w+\(.*$/gm,
  );
  const unchecked = [...calls]
    .map(([line]) => line.trim())
    .filter((line) => !/check\(|status = |== napi_ok|!= napi_ok/.test(line));
  // Those whose refusal changes nothing: they are the last that can be said, or bookkeeping.
  t.deepEqual(unchecked.map((line) => line.match(/napi_\w+\(/)![0]).sort(), [
    'napi_adjust_external_memory(',
    'napi_ref_threadsafe_function(',
    'napi_throw(',
    'napi_unref_threadsafe_function(',
  ]);
});
