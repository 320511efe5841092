import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** A process that works once at each call. */
export class Subject {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    readonly name: string,
    child: ChildProcess,
    lines: Interface,
  ) {
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async start(name: string, command: string, args: readonly string[]): Promise<Subject> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const subject = new Subject(name, child, createInterface({ input: child.stdout! }));
    const { value, done } = await subject.#lines.next();
    if (done || value !== 'ready') throw new Error(`${name} did not start: ${command} ${args.join(' ')}`);
    return subject;
  }

  async work(): Promise<Record<string, number>> {
    this.#child.stdin!.write('\n');
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended`);
    return JSON.parse(value);
  }

  stop(): void {
    this.#child.stdin!.end();
  }
}
