// The GPU check's sanitizer stage: compute-sanitizer over the op cases. Tests run in child processes of AVA, so that a
// sanitizer which watches only the first process finds nothing and says "0 errors". Hence a test with a fault made on
// purpose (native/cuda/gpu/fault.cu) is run first, by the same command; where that is not found, the stage fails.

/** Which tool finds which of the planted faults, and what its summary says. */
const TOOLS = {
  memcheck: /ERROR SUMMARY: (\d+) errors?/g,
  racecheck: /RACECHECK SUMMARY: (\d+) hazards?/g,
};
const PLANTED = 'dist-test/cuda/planted_fault.test.js';
/** Some cases of each op: all would take an hour under the sanitizer. */
const MATCHES = ['*random-0*', '*n7*', '*odd*'].map((match) => `--match=${match}`);

/** Sum of what a tool's summaries count; null where there is none, as when it was cut off or saw no kernel. */
function counted(tool, text) {
  const counts = [...text.matchAll(TOOLS[tool])].map((match) => Number(match[1]));
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0);
}

const passedTests = (text) =>
  text.split('\n').filter((line) => /^ok /.test(line) && !/# SKIP/i.test(line)).length;

/** What one tool says: `planted` whether it found the fault made on purpose, and the problem where there is one. */
function runTool(tool, { run, ava, files, addon, seconds }) {
  const sanitizer = ['--tool', tool, '--target-processes', 'all', '--print-limit', '20'];
  const command = [...sanitizer, ...ava, '--tap', '--serial', '--timeout=10m'];
  const fault = run('compute-sanitizer', [...command, PLANTED], seconds / 4, {
    NLRCNN_FAULT: tool,
    NLRCNN_FAULT_ADDON: addon,
  });
  const planted = (counted(tool, fault.text) ?? 0) > 0;
  if (!planted) {
    const why = fault.missing
      ? 'it is missing'
      : `it does not watch the processes that run the tests (${fault.problem ?? 'no error'})`;
    return { planted, seconds: fault.seconds, problem: `did not find the planted fault: ${why}` };
  }
  const {
    text,
    problem,
    seconds: took,
  } = run('compute-sanitizer', [...command, ...MATCHES, ...files], (seconds * 3) / 4);
  const found = counted(tool, text);
  const tests = passedTests(text);
  const errors = text
    .split('\n')
    .filter((line) => /=========\s+(Error|Invalid|Race|Internal|Warning)/.test(line))
    .slice(0, 20);
  let wrong = problem;
  if (found === null) wrong ??= 'gave no summary';
  if (found > 0) wrong = `${found} found, first: ${errors[0] ?? 'see the output'}`;
  if (tests === 0) wrong ??= 'no test passed under it';
  return { planted, tests, found, errors, problem: wrong, seconds: took };
}

/**
 * Runs both tools. `run(command, args, seconds, env)` gives { text, seconds, problem?, missing? }; `ava` is the command
 * that runs tests, `files` are those, `addon` the built native/cuda/gpu/fault.cu.
 */
export function sanitize(options) {
  const results = {};
  for (const tool of Object.keys(TOOLS))
    results[tool] = runTool(tool, { ...options, seconds: options.seconds / 2 });
  const problems = Object.entries(results).filter(([, { problem }]) => problem);
  const seconds = Object.values(results).reduce((sum, result) => sum + result.seconds, 0);
  const problem = problems.map(([tool, result]) => `${tool} ${result.problem}`).join('; ') || undefined;
  return { ...results, seconds, problem };
}
