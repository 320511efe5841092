/** Prints warnings, this package's as one line as its errors are, instead of Node's own two. */
export function printWarnings(): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => {
    if (name === 'NlrcnnWarning') process.stderr.write(`nlrcnn: warning: ${message}\n`);
    else if (process.env.NODE_NO_WARNINGS !== '1') process.stderr.write(`nlrcnn: ${name}: ${message}\n`);
  });
}
