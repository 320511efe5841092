import { checkMask } from '../arguments.js';
import { decodeRle, type Ring, type Rle } from './rle.js';

/** One connected piece of a mask: clockwise on the screen outside, counter-clockwise around holes. */
export interface Polygon {
  exterior: Ring;
  holes: Ring[];
}

/** Right, down, left, up; the mask lies to the right of the way. */
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;
/** The pixels ahead of a corner, to the right and to the left of the way, from the corner. */
const AHEAD_RIGHT = [
  [0, 0],
  [-1, 0],
  [-1, -1],
  [0, -1],
] as const;
const AHEAD_LEFT = [
  [0, -1],
  [0, 0],
  [-1, 0],
  [-1, -1],
] as const;

/**
 * Outlines of a mask along the edges of its pixels, exact: the polygons cover the same pixels. Pieces that only touch at
 * a corner are apart.
 */
export function toPolygons(rle: Rle): Polygon[] {
  const [height, width] = checkMask(rle, 'the mask').size;
  const bitmap = decodeRle(rle).data;
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && bitmap[y * width + x] === 1;
  const seen = new Uint8Array(width * height);
  const pieces = new Pieces();
  const exteriors: { ring: Ring; run: number }[] = [];
  const holes: { ring: Ring; run: number }[] = [];
  for (let y = 0; y < height; y++) {
    pieces.nextRow();
    for (let x = 0; x < width; x++) {
      if (!bitmap[y * width + x]) continue;
      const from = x;
      while (x < width && bitmap[y * width + x]) x++;
      const run = pieces.add(from, x);
      for (let at = from; at < x; at++) {
        if (seen[y * width + at] || inside(at, y - 1)) continue;
        const ring = follow(at, y, inside, (px, py) => {
          seen[py * width + px] = 1;
        });
        (signedArea(ring) > 0 ? exteriors : holes).push({ ring, run });
      }
    }
  }
  const polygons = exteriors.map(({ ring }): Polygon => ({ exterior: ring, holes: [] }));
  const ofPiece = new Map(exteriors.map(({ run }, i) => [pieces.pieceOf(run), polygons[i]!]));
  for (const { ring, run } of holes) ofPiece.get(pieces.pieceOf(run))!.holes.push(ring);
  return polygons;
}

/** Which runs of rows are connected: those of neighbouring rows that share a column. Union-find, as rows come. */
class Pieces {
  private readonly parents: number[] = [];
  /** Start and end of each run of a row; the last of `above` that was compared. */
  private above: number[] = [];
  private row: number[] = [];
  private compared = 0;

  nextRow(): void {
    [this.above, this.row] = [this.row, []];
    this.compared = 0;
  }

  /** The number of the run of columns `from` to before `to`; runs of a row come from left to right. */
  add(from: number, to: number): number {
    const run = this.parents.push(this.parents.length) - 1;
    const firstAbove = run - (this.row.length + this.above.length) / 2;
    this.row.push(from, to);
    for (; this.compared < this.above.length / 2; this.compared++) {
      const [start, end] = [this.above[2 * this.compared]!, this.above[2 * this.compared + 1]!];
      if (start < to && from < end)
        this.parents[this.pieceOf(firstAbove + this.compared)] = this.pieceOf(run);
      if (end > to) break; // the next run of this row may share it
    }
    return run;
  }

  /** Equal for the runs of a piece, once all are added. */
  pieceOf(run: number): number {
    let at = run;
    while (this.parents[at] !== at) {
      this.parents[at] = this.parents[this.parents[at]!]!;
      at = this.parents[at]!;
    }
    return at;
  }
}

/** From the top edge of pixel (x, y) around; `mark` gets each pixel whose top edge lies on the way. */
function follow(
  x: number,
  y: number,
  inside: (x: number, y: number) => boolean,
  mark: (x: number, y: number) => void,
): Ring {
  const ring: Ring = [];
  let [cx, cy, direction] = [x, y, 0];
  do {
    if (direction === 0) mark(cx, cy);
    cx += STEPS[direction]![0];
    cy += STEPS[direction]![1];
    const right = AHEAD_RIGHT[direction]!;
    const left = AHEAD_LEFT[direction]!;
    let turn = 0;
    if (!inside(cx + right[0], cy + right[1])) turn = 1;
    else if (inside(cx + left[0], cy + left[1])) turn = 3;
    if (turn) ring.push(cx, cy);
    direction = (direction + turn) % 4;
  } while (cx !== x || cy !== y || direction !== 0);
  return ring;
}

/** Positive where the ring runs clockwise on the screen (y down). */
function signedArea(ring: Ring): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    sum += ring[i]! * ring[j + 1]! - ring[j]! * ring[i + 1]!;
  }
  return sum / 2;
}
