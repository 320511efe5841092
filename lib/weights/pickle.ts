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
  /** What `__setitem__` would get: that of a subclass of dict. */
  items: Map<unknown, unknown> | undefined;

  constructor(
    readonly callable: unknown,
    readonly args: unknown,
  ) {}
}

/** A reference that `persistent_load` would resolve. */
export class PersistentId {
  constructor(readonly id: unknown) {}
}

/** No integer of a checkpoint has more bytes; a larger one costs more than its length to read. */
const MAX_INTEGER = 1024;
/** Values that a pickle may make: a checkpoint of 1000 tensors with its optimizer makes about 50 000. */
const MAX_VALUES = 8_000_000;
/** A Map takes as much memory as so many other values. */
const MAP_VALUES = 4;
const PROTOCOLS = 5;
/** Classes whose objects are Maps here. */
const DICTS = new Set(['collections.OrderedDict', 'collections.defaultdict']);

const MARK = Symbol('mark');

/**
 * Reads Python pickles (protocols 0 to 5) without executing anything: dicts become Maps, lists, tuples and sets arrays, bytes
 * Uint8Arrays, calls `Reduced`. OrderedDict and defaultdict are Maps, too. What is read may refer to itself.
 */
export class Unpickler {
  #at: number;
  #values = 0;
  #stack: unknown[] = [];
  #memo = new Map<number, unknown>();
  readonly #view: DataView;

  /** `persistent` is told of every reference that a pickle makes. */
  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    readonly persistent: (id: unknown) => void = () => {},
  ) {
    this.#at = start;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Where the next pickle begins. */
  get position(): number {
    return this.#at;
  }

  /** @throws SyntaxError for what is no pickle, or more than a checkpoint's. */
  load(): unknown {
    this.#stack = [];
    this.#memo = new Map();
    for (;;) {
      const op = this.#u8();
      if (op === 0x2e) return this.#pop(); // STOP
      if (this.#structure(op) || this.#value(op) || this.#text(op)) continue;
      if (op === 0x97 || op === 0x98) throw new SyntaxError('a pickle with buffers outside of it');
      if (op >= 0x82 && op <= 0x84) throw new SyntaxError('a pickle with codes of an extension registry');
      throw new SyntaxError(`a pickle with opcode 0x${op.toString(16)}`);
    }
  }

  /** Opcodes that work on the stack and the memo. */
  #structure(op: number): boolean {
    switch (op) {
      case 0x80: {
        const protocol = this.#u8();
        if (protocol > PROTOCOLS) throw new SyntaxError(`a pickle of protocol ${protocol}`);
        return true;
      }
      case 0x95: // FRAME
        this.#skip(8);
        return true;
      case 0x28:
        this.#push(MARK);
        return true;
      case 0x30: // POP
        this.#stack.pop();
        return true;
      case 0x31: // POP_MARK
        this.#toMark();
        return true;
      case 0x32: // DUP
        this.#push(this.#top());
        return true;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        this.#push([]);
        return true;
      case 0x7d:
        this.#count(MAP_VALUES - 1);
        this.#push(new Map());
        return true;
      case 0x6c: // LIST
      case 0x74: // TUPLE
      case 0x91: // FROZENSET
        this.#push(this.#toMark());
        return true;
      case 0x64: // DICT
        this.#push(setItems(new Map(), this.#toMark()));
        return true;
      case 0x85:
      case 0x86:
      case 0x87: {
        const items = Array.from({ length: op - 0x84 }, () => this.#pop());
        this.#push(items.reverse());
        return true;
      }
      case 0x61: // APPEND
        append(this.#pop(), this.#top());
        return true;
      case 0x65: // APPENDS
      case 0x90: {
        const items = this.#toMark();
        const list = this.#top();
        for (const item of items) append(item, list);
        return true;
      }
      case 0x73: {
        const [value, key] = [this.#pop(), this.#pop()];
        setItems(this.#top(), [key, value]);
        return true;
      }
      case 0x75: {
        const items = this.#toMark();
        setItems(this.#top(), items);
        return true;
      }
      case 0x71: // BINPUT
        this.#memo.set(this.#u8(), this.#top());
        return true;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.#u32(), this.#top());
        return true;
      case 0x70: // PUT
        this.#memo.set(this.#decimal(), this.#top());
        return true;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return true;
      case 0x68: // BINGET
        this.#get(this.#u8());
        return true;
      case 0x6a: // LONG_BINGET
        this.#get(this.#u32());
        return true;
      case 0x67: // GET
        this.#get(this.#decimal());
        return true;
      default:
        return this.#object(op);
    }
  }

  /** Opcodes that would find classes and make objects. */
  #object(op: number): boolean {
    switch (op) {
      case 0x63: // GLOBAL
        this.#push(new Global(this.#line(), this.#line()));
        return true;
      case 0x93: {
        const [name, module] = [this.#pop(), this.#pop()];
        if (typeof name !== 'string' || typeof module !== 'string')
          throw new SyntaxError('a pickle with a class that has no name');
        this.#push(new Global(module, name));
        return true;
      }
      case 0x52: // REDUCE
      case 0x81: {
        const [args, callable] = [this.#pop(), this.#pop()];
        this.#push(this.#reduce(callable, args));
        return true;
      }
      case 0x92: {
        const [, args, callable] = [this.#pop(), this.#pop(), this.#pop()];
        this.#push(this.#reduce(callable, args));
        return true;
      }
      case 0x69: {
        const callable = new Global(this.#line(), this.#line());
        this.#push(this.#reduce(callable, this.#toMark()));
        return true;
      }
      case 0x6f: {
        const [callable, ...args] = this.#toMark();
        this.#push(this.#reduce(callable, args));
        return true;
      }
      case 0x62: {
        const state = this.#pop();
        const object = this.#top();
        if (object instanceof Reduced) object.state = state;
        return true;
      }
      case 0x51: // BINPERSID
      case 0x50: {
        const id = op === 0x51 ? this.#pop() : this.#line();
        this.persistent(id);
        this.#push(new PersistentId(id));
        return true;
      }
      default:
        return false;
    }
  }

  /** Numbers and bytes. */
  #value(op: number): boolean {
    switch (op) {
      case 0x4e:
        return this.#push(null);
      case 0x88:
      case 0x89:
        return this.#push(op === 0x88);
      case 0x4a: // BININT
        return this.#push(this.#view.getInt32(this.#skip(4), true));
      case 0x4b: // BININT1
        return this.#push(this.#u8());
      case 0x4d: // BININT2
        return this.#push(this.#view.getUint16(this.#skip(2), true));
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#u8()));
      case 0x8b: // LONG4
        return this.#push(this.#long(this.#u32()));
      case 0x47: // BINFLOAT
        return this.#push(this.#view.getFloat64(this.#skip(8)));
      case 0x42: // BINBYTES
        return this.#push(this.#take(this.#u32()));
      case 0x43: // SHORT_BINBYTES
        return this.#push(this.#take(this.#u8()));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#push(this.#take(this.#u64()));
      default:
        return false;
    }
  }

  /** Strings, and numbers that are written as text. */
  #text(op: number): boolean {
    switch (op) {
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING
        return this.#push(this.#utf8(this.#u32()));
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        return this.#push(this.#utf8(this.#u8()));
      case 0x8d: // BINUNICODE8
        return this.#push(this.#utf8(this.#u64()));
      case 0x56: // UNICODE
        return this.#push(this.#line());
      case 0x53: // STRING
        return this.#push(this.#line().slice(1, -1));
      case 0x46: // FLOAT
        return this.#push(Number(this.#line()));
      case 0x49: {
        const line = this.#line();
        return this.#push(line === '01' ? true : line === '00' ? false : integer(line));
      }
      case 0x4c: // LONG
        return this.#push(integer(this.#line().replace(/L$/, '')));
      default:
        return false;
    }
  }

  #reduce(callable: unknown, args: unknown): unknown {
    if (!(callable instanceof Global) || !DICTS.has(callable.path)) return new Reduced(callable, args);
    // Python 2 hands pairs over.
    const pairs = Array.isArray(args) && Array.isArray(args[0]) ? (args[0] as unknown[]) : [];
    this.#count(MAP_VALUES + pairs.length);
    return new Map(
      pairs.filter((pair): pair is [unknown, unknown] => Array.isArray(pair) && pair.length === 2),
    );
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MAX_VALUES) throw new SyntaxError(`a pickle of more than ${MAX_VALUES} values`);
  }

  #push(value: unknown): true {
    this.#count(1);
    this.#stack.push(value);
    return true;
  }

  #pop(): unknown {
    const value = this.#stack.length > 0 ? this.#stack.pop() : MARK;
    if (value === MARK) throw new SyntaxError('a pickle whose stack is empty');
    return value;
  }

  #top(): unknown {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw new SyntaxError('a pickle whose stack is empty');
    return value;
  }

  #toMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw new SyntaxError('a pickle without a mark');
    const items = this.#stack.splice(mark);
    items.shift();
    return items;
  }

  #get(index: number): void {
    if (!this.#memo.has(index)) throw new SyntaxError('a pickle that refers to what it does not have');
    this.#push(this.#memo.get(index));
  }

  /** Where the next `length` bytes begin; goes past them. */
  #skip(length: number): number {
    const start = this.#at;
    if (length > this.bytes.length - start) throw new SyntaxError('a pickle that ends early');
    this.#at += length;
    return start;
  }

  #u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  #u64(): number {
    return Number(this.#view.getBigUint64(this.#skip(8), true));
  }

  #take(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.bytes.subarray(start, this.#at);
  }

  #utf8(length: number): string {
    const { buffer, byteOffset } = this.#take(length);
    return Buffer.from(buffer, byteOffset, length).toString('utf8');
  }

  #line(): string {
    const end = this.bytes.indexOf(10, this.#at);
    if (end < 0) throw new SyntaxError('a pickle that ends early');
    const text = this.#utf8(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  #decimal(): number {
    return Number(integer(this.#line()));
  }

  /** Little-endian two's complement; a BigInt where a number cannot hold it. */
  #long(length: number): number | bigint {
    if (length > MAX_INTEGER) throw new SyntaxError(`a pickle with an integer of ${length} bytes`);
    const bytes = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    if (length > 0 && bytes[length - 1]! & 0x80) value -= 1n << BigInt(8 * length);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
}

/** Of decimal digits. */
function integer(text: string): number | bigint {
  if (!/^-?\d+$/.test(text) || text.length > MAX_INTEGER)
    throw new SyntaxError('a pickle with a number that is none');
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

function append(item: unknown, list: unknown): void {
  if (Array.isArray(list)) list.push(item);
}

function setItems(target: unknown, items: readonly unknown[]): unknown {
  const map = target instanceof Reduced ? (target.items ??= new Map()) : target;
  if (map instanceof Map) for (let i = 0; i + 1 < items.length; i += 2) map.set(items[i], items[i + 1]);
  return target;
}
