/** Numbers that follow from a seed alone (sfc32). */
export class Random {
  constructor(seed) {
    this.state = [seed >>> 0, 0x9e3779b9, 0x243f6a88, 1];
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 bits. */
  next() {
    const s = this.state;
    const out = (s[0] + s[1] + s[3]) | 0;
    s[3] = (s[3] + 1) | 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = (s[2] + (s[2] << 3)) | 0;
    s[2] = (((s[2] << 21) | (s[2] >>> 11)) + out) | 0;
    return out >>> 0;
  }

  /** 0 … below - 1. */
  int(below) {
    return Math.floor((this.next() / 2 ** 32) * below);
  }

  chance(part) {
    return this.next() < part * 2 ** 32;
  }

  pick(list) {
    return list[this.int(list.length)];
  }
}

/** 32 bits of a text, so that each target has numbers of its own. */
export function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
  return hash >>> 0;
}
