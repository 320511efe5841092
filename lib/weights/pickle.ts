/** What a pickle names by module and name; never looked up, never run. */
export class Global {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** What a pickle would call: kept as data. */
export class Reduced {
  /** What `__setstate__` would get. */
  state: unknown;

  constructor(
    readonly callable: unknown,
    readonly args: unknown,
  ) {}
}

/** A reference that `persistent_load` would resolve. */
export class PersistentId {
  constructor(readonly id: unknown) {}
}

const MARK = Symbol('mark');

/**
 * Reads Python pickles (protocols 0 to 5, the opcodes that PyTorch's checkpoints use) without executing anything: dicts
 * become Maps, calls become `Reduced`. OrderedDict() is a Map, too.
 */
export class Unpickler {
  #at: number;
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    start = 0,
  ) {
    this.#at = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Where the next pickle begins. */
  get position(): number {
    return this.#at;
  }

  /** @throws RangeError or SyntaxError for what is no pickle. */
  load(): unknown {
    const stack: unknown[] = [];
    const memo = new Map<number, unknown>();
    const toMark = () => stack.splice(stack.lastIndexOf(MARK)).slice(1);
    const pop = (): unknown => {
      if (stack.length === 0) throw new SyntaxError('a pickle whose stack is empty');
      return stack.pop();
    };
    const top = () => stack[stack.length - 1];
    for (;;) {
      const op = this.#u8();
      switch (op) {
        case 0x80: // PROTO
          this.#at += 1;
          break;
        case 0x95: // FRAME
          this.#at += 8;
          break;
        case 0x2e: // STOP
          return pop();
        case 0x28:
          stack.push(MARK);
          break;
        case 0x30: // POP
          pop();
          break;
        case 0x4e:
          stack.push(null);
          break;
        case 0x88:
        case 0x89:
          stack.push(op === 0x88);
          break;
        case 0x4a: // BININT
          stack.push(this.#view.getInt32((this.#at += 4) - 4, true));
          break;
        case 0x4b: // BININT1
          stack.push(this.#u8());
          break;
        case 0x4d: // BININT2
          stack.push(this.#view.getUint16((this.#at += 2) - 2, true));
          break;
        case 0x8a: // LONG1
          stack.push(this.#long(this.#u8()));
          break;
        case 0x8b: // LONG4
          stack.push(this.#long(this.#u32()));
          break;
        case 0x47: // BINFLOAT
          stack.push(this.#view.getFloat64((this.#at += 8) - 8));
          break;
        case 0x58: // BINUNICODE
        case 0x54: // BINSTRING
          stack.push(this.#text(this.#u32()));
          break;
        case 0x8c: // SHORT_BINUNICODE
        case 0x55: // SHORT_BINSTRING
          stack.push(this.#text(this.#u8()));
          break;
        case 0x42: // BINBYTES
          stack.push(this.#take(this.#u32()));
          break;
        case 0x43: // SHORT_BINBYTES
          stack.push(this.#take(this.#u8()));
          break;
        case 0x7d:
          stack.push(new Map());
          break;
        case 0x5d:
        case 0x8f: // EMPTY_SET
          stack.push([]);
          break;
        case 0x29:
          stack.push([]);
          break;
        case 0x74:
          stack.push(toMark());
          break;
        case 0x85:
        case 0x86:
        case 0x87: {
          const items = [pop(), ...(op > 0x85 ? [pop()] : []), ...(op > 0x86 ? [pop()] : [])];
          stack.push(items.reverse());
          break;
        }
        case 0x61: {
          const item = pop();
          append(top(), [item]);
          break;
        }
        case 0x65:
        case 0x90: {
          const items = toMark();
          append(top(), items);
          break;
        }
        case 0x73: {
          const [value, key] = [pop(), pop()];
          setItems(top(), [key, value]);
          break;
        }
        case 0x75: {
          const items = toMark();
          setItems(top(), items);
          break;
        }
        case 0x71: // BINPUT
          memo.set(this.#u8(), top());
          break;
        case 0x72: // LONG_BINPUT
          memo.set(this.#u32(), top());
          break;
        case 0x94: // MEMOIZE
          memo.set(memo.size, top());
          break;
        case 0x68: // BINGET
          stack.push(memo.get(this.#u8()));
          break;
        case 0x6a: // LONG_BINGET
          stack.push(memo.get(this.#u32()));
          break;
        case 0x63: // GLOBAL
          stack.push(new Global(this.#line(), this.#line()));
          break;
        case 0x93: {
          const [name, module] = [pop(), pop()];
          stack.push(new Global(String(module), String(name)));
          break;
        }
        case 0x52: // REDUCE
        case 0x81: {
          const [args, callable] = [pop(), pop()];
          const ordered = callable instanceof Global && callable.path === 'collections.OrderedDict';
          stack.push(ordered ? new Map() : new Reduced(callable, args));
          break;
        }
        case 0x62: {
          const state = pop();
          const object = top();
          if (object instanceof Reduced) object.state = state;
          break;
        }
        case 0x51: // BINPERSID
          stack.push(new PersistentId(pop()));
          break;
        default:
          throw new SyntaxError(`a pickle with opcode 0x${op.toString(16)}`);
      }
    }
  }

  #u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  #u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.bytes.length) throw new RangeError('a pickle that ends early');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  #text(length: number): string {
    return Buffer.from(this.#take(length)).toString('utf8');
  }

  #line(): string {
    const end = this.bytes.indexOf(10, this.#at);
    if (end < 0) throw new RangeError('a pickle that ends early');
    const text = this.#text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  /** Little-endian two's complement; a BigInt where a number cannot hold it. */
  #long(length: number): number | bigint {
    const bytes = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    if (length > 0 && bytes[length - 1]! & 0x80) value -= 1n << BigInt(8 * length);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
}

function append(list: unknown, items: readonly unknown[]): void {
  if (Array.isArray(list)) for (const item of items) list.push(item);
}

function setItems(target: unknown, items: readonly unknown[]): void {
  if (target instanceof Map) for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i], items[i + 1]);
}
