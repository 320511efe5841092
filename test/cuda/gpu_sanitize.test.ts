import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

interface ToolResult {
  planted: boolean;
  found?: number;
  tests?: number;
  problem?: string;
}
interface Outcome {
  memcheck: ToolResult;
  racecheck: ToolResult;
  problem?: string;
}
type Run = (command: string, args: string[], seconds: number, env?: Record<string, string>) => object;
type Sanitize = (options: {
  run: Run;
  ava: string[];
  files: string[];
  addon: string;
  seconds: number;
}) => Outcome;

const SCRIPT = join(__dirname, '..', '..', 'scripts', 'gpu', 'sanitize.mjs');

/** What a compute-sanitizer prints beside what the command prints; `$planted` is 1 for the test with the fault. */
async function outcome(script: string | undefined): Promise<Outcome> {
  const { sanitize } = (await import(pathToFileURL(SCRIPT).href)) as { sanitize: Sanitize };
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-sanitizer-'));
  try {
    if (script !== undefined) {
      const path = join(folder, 'compute-sanitizer');
      const head = `#!/bin/bash\ntool=$2\ntest -n "$NLRCNN_FAULT" && planted=1 || planted=0\n`;
      const count = `summary() { if [ $tool = memcheck ]; then echo "========= ERROR SUMMARY: $1 errors"; else
        echo "========= RACECHECK SUMMARY: $1 hazards displayed ($1 errors, 0 warnings)"; fi; }\n`;
      writeFileSync(path, `${head}${count}echo '========= COMPUTE-SANITIZER'\n${script}\n`);
      chmodSync(path, 0o755);
    }
    const run: Run = (command, args, _seconds, env = {}) => {
      const { stdout, status, error } = spawnSync(command, args, {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${folder}:/usr/bin:/bin`, ...env },
      });
      const missing = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
      const problem = error?.message ?? (status === 0 ? undefined : `exit code ${status}`);
      return { text: stdout ?? '', seconds: 0, missing, problem };
    };
    return sanitize({ run, ava: ['node', 'ava'], files: ['ops.test.js'], addon: '/fault.node', seconds: 8 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a sanitizer that finds the planted fault and nothing else passes', async (t) => {
  const result = await outcome("summary $planted; echo 'ok 1 - a case'");
  t.is(result.problem, undefined);
  t.like(result.memcheck, { planted: true, found: 0, tests: 1 });
  t.like(result.racecheck, { planted: true, found: 0, tests: 1 });
});

test('one that watches another process than the tests fails the stage', async (t) => {
  const result = await outcome("summary 0; echo 'ok 1 - a case'");
  t.false(result.memcheck.planted);
  t.regex(result.problem!, /memcheck did not find the planted fault: it does not watch/);
  t.regex(result.problem!, /racecheck did not find the planted fault/);
});

test('one that sees no kernel at all gives no summary and fails the stage', async (t) => {
  t.regex((await outcome("echo 'ok 1 - a case'")).problem!, /memcheck did not find the planted fault/);
  const cut = await outcome("test $planted = 1 && summary 1; echo 'ok 1 - a case'");
  t.regex(cut.problem!, /memcheck gave no summary; racecheck gave no summary/);
});

test('what it finds in the tests, failing tests and a missing tool fail the stage', async (t) => {
  const found = await outcome(
    "summary 3; test $tool = memcheck && echo '========= Invalid __global__ write of size 4'; echo 'ok 1 - a case'",
  );
  t.regex(
    found.problem!,
    /memcheck 3 found, first: ========= Invalid __global__ write of size 4; racecheck 3 found/,
  );
  t.regex((await outcome('summary $planted; exit $((1 - planted))')).problem!, /memcheck exit code 1/);
  t.regex((await outcome('summary $planted')).problem!, /memcheck no test passed under it/);
  t.regex((await outcome(undefined)).problem!, /memcheck did not find the planted fault: it is missing/);
});
