import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';

export interface SmallDisk {
  path: string;
  readOnly(): void;
}

const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-disk-'));
const mount = (path: string, options: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'nlrcnn-test', path], { stdio: 'ignore' }).status === 0;
const unmount = (path: string) => spawnSync('umount', ['--lazy', path]);

function mounts(): boolean {
  const path = fresh();
  const done = mount(path, 'size=64k');
  if (done) unmount(path);
  return done;
}

/** A test on a disk of its own; skipped, and reported so, where this user may not mount one. */
export const diskTest = mounts() ? test : test.skip;

/** A file system in memory of so many KiB, for a `diskTest`; unmounted with it. */
export function smallDisk(t: ExecutionContext, kib: number): SmallDisk {
  const path = fresh();
  t.true(mount(path, `size=${kib}k`));
  t.teardown(() => unmount(path));
  return { path, readOnly: () => t.true(mount(path, 'remount,ro')) };
}
