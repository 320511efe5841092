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
  const [height, width] = rle.size;
  const bitmap = decodeRle(rle).data;
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && bitmap[y * width + x] === 1;
  const seen = new Uint8Array(width * height);
  const polygons: Polygon[] = [];
  const holes: { ring: Ring; x: number; y: number }[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!bitmap[y * width + x] || seen[y * width + x] || inside(x, y - 1)) continue;
      const ring = follow(x, y, inside, (px, py) => {
        seen[py * width + px] = 1;
      });
      if (signedArea(ring) > 0) polygons.push({ exterior: ring, holes: [] });
      else holes.push({ ring, x: x + 0.5, y: y + 0.5 });
    }
  }
  for (const { ring, x, y } of holes) {
    const around = polygons.filter(({ exterior }) => contains(exterior, x, y));
    around.sort((a, b) => signedArea(a.exterior) - signedArea(b.exterior));
    around[0]!.holes.push(ring);
  }
  return polygons;
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

function contains(ring: Ring, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    const [x1, y1, x2, y2] = [ring[i]!, ring[i + 1]!, ring[j]!, ring[j + 1]!];
    if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
  }
  return inside;
}
