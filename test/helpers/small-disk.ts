import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

export interface SmallDisk {
  path: string;
  readOnly(): void;
}

/** A file system in memory of so many KiB, or undefined (with a word) where this user may not mount one; unmounted with the test. */
export function smallDisk(t: ExecutionContext, kib: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'nlrcnn-disk-'));
  const mount = (options: string) =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'nlrcnn-test', path], { stdio: 'ignore' }).status === 0;
  if (!mount(`size=${kib}k`)) {
    t.log('skipped: no file system can be mounted here');
    t.pass();
    return undefined;
  }
  t.teardown(() => spawnSync('umount', ['--lazy', path]));
  return {
    path,
    readOnly: () => t.true(mount('remount,ro')),
  };
}
