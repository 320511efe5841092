const told = new Set<string>();

/**
 * Emits a warning of this package through `process.emitWarning`, once per process for each pair of key and message.
 * Listeners of the process's `warning` event get its `name` (NlrcnnWarning), its `code` (`key`, such as
 * NLRCNN_ANNOTATIONS) and its message; the command line prints it as one line on standard error.
 */
export function warnOnce(key: string, message: string): void {
  const entry = `${key}\n${message}`;
  if (told.has(entry)) return;
  told.add(entry);
  process.emitWarning(message, { type: 'NlrcnnWarning', code: key });
}

/** Forgets what has been said, for tests. */
export function resetWarnings(): void {
  told.clear();
}
