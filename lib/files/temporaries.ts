/** Names of what is being written, and their removal: at once where writing fails, else when the next run begins. */
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

/** `.nlrcnn-MACHINE-PID-START-THREAD-N.tmp`; short whatever the name of the file, as names end at 255 bytes. */
const NAME = /^\.nlrcnn-([0-9a-f.]+)-(\d+)-(\d+)-\d+-\d+\.tmp$/;
/** Of another machine or container nobody knows here whether it still writes; what it has not touched so long is left over. */
const FOREIGN_MS = 3_600_000;

/** What this thread is writing. */
const begun = new Set<string>();
let count = 0;

/** A name in `folder` that nobody else uses, for a file or folder to be renamed or discarded later. */
export function temporaryIn(folder: string): string {
  if (count === 0) process.once('exit', removeBegun);
  const { machine, start } = self();
  const path = join(folder, `.nlrcnn-${machine}-${process.pid}-${start}-${threadId}-${count++}.tmp`);
  begun.add(path);
  return path;
}

/** It has its final name now. */
export function settle(temporary: string): void {
  begun.delete(temporary);
}

/** Removes it, as far as it is there; where that fails the end of the process or the next run tries again. */
export async function discard(temporary: string): Promise<void> {
  try {
    await rm(temporary, { recursive: true, force: true });
    begun.delete(temporary);
  } catch {
    // Why it is discarded matters more.
  }
}

/** Removes all that this thread has begun to write; for the end of the process. */
export function removeBegun(): void {
  for (const path of begun) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The next run will try again.
    }
  }
  begun.clear();
}

/** Removes what killed processes left in `folder`, as far as that is allowed; what others are writing there stays. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, machine, pid, start] = name.match(NAME) ?? [];
    if (machine === undefined) continue;
    const path = join(folder, name);
    if (await inUse(path, machine, Number(pid), start!)) continue;
    await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

async function inUse(path: string, machine: string, pid: number, start: string): Promise<boolean> {
  const own = self().machine;
  if (machine === own && own !== UNKNOWN) return startOf(pid) === start;
  const stats = await lstat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs < FOREIGN_MS;
}

const UNKNOWN = '0';
let known: { machine: string; start: string } | undefined;

/** This boot of this machine with its namespace of process ids, and when this process began: ids alone are used again. */
function self(): { machine: string; start: string } {
  known ??= { machine: machineTag(), start: startOf(process.pid) ?? '0' };
  return known;
}

function machineTag(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    const namespace = readlinkSync('/proc/self/ns/pid').match(/\d+/)![0];
    return `${boot}.${Number(namespace).toString(16)}`;
  } catch {
    return UNKNOWN;
  }
}

/** Clock ticks from boot to the start of a process; undefined where there is none of that id. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the name, may have spaces and parentheses; the start is the 22nd.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
