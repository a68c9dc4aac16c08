// The labels of pictures, in a 5 x 7 pixel face drawn here: the same on every machine, where a text renderer would need
// fonts that servers and small containers do not have. Capitals only; small letters are shown as capitals.

/** Strips of glyphs, each 5 wide and 1 apart. */
const STRIPS: readonly (readonly [glyphs: string, rows: readonly string[]])[] = [
  [
    "ABCDEFGHI",
    [
      " ###  ####   #### ####  ##### #####  #### #   #  ### ",
      "#   # #   # #     #   # #     #     #     #   #   #  ",
      "#   # #   # #     #   # #     #     #     #   #   #  ",
      "##### ####  #     #   # ####  ####  #  ## #####   #  ",
      "#   # #   # #     #   # #     #     #   # #   #   #  ",
      "#   # #   # #     #   # #     #     #   # #   #   #  ",
      "#   # ####   #### ####  ##### #      #### #   #  ### ",
    ],
  ],
  [
    "JKLMNOPQR",
    [
      "  ### #   # #     #   # #   #  ###  ####   ###  #### ",
      "   #  #  #  #     ## ## ##  # #   # #   # #   # #   #",
      "   #  # #   #     # # # # # # #   # #   # #   # #   #",
      "   #  ##    #     # # # #  ## #   # ####  #   # #### ",
      "   #  # #   #     #   # #   # #   # #     # # # # #  ",
      "#  #  #  #  #     #   # #   # #   # #     #  #  #  # ",
      " ##   #   # ##### #   # #   #  ###  #      ## # #   #",
    ],
  ],
  [
    "STUVWXYZ ",
    [
      " #### ##### #   # #   # #   # #   # #   # #####      ",
      "#       #   #   # #   # #   # #   # #   #     #      ",
      "#       #   #   # #   # #   #  # #   # #     #       ",
      " ###    #   #   # #   # # # #   #     #     #        ",
      "    #   #   #   # #   # # # #  # #    #    #         ",
      "    #   #   #   #  # #  ## ## #   #   #   #          ",
      "####    #    ###    #   #   # #   #   #   #####      ",
    ],
  ],
  [
    "0123456789",
    [
      " ###    #    ###  ####     #  #####  ###  #####  ###   ### ",
      "#   #  ##   #   #     #   ##  #     #         # #   # #   #",
      "#  ##   #       #     #  # #  ####  #        #  #   # #   #",
      "# # #   #      #   ###  #  #      # ####    #    ###   ####",
      "##  #   #     #       # #####     # #   #   #   #   #     #",
      "#   #   #    #        #    #  #   # #   #   #   #   #     #",
      " ###   ###  ##### ####     #   ###   ###    #    ###   ### ",
    ],
  ],
  [
    ".,:-_/%()+=",
    [
      "                                  # ##  #    #   #               ",
      "             ##                   # ##  #   #     #     #        ",
      "             ##                  #     #   #       #    #   #####",
      "                  #####         #     #    #       #  #####      ",
      "             ##                #     #     #       #    #   #####",
      " ##    ##    ##               #     #  ##   #     #     #        ",
      " ##    #                ##### #     #  ##    #   #               ",
    ],
  ],
];

const GLYPH_WIDTH = 5;
const GLYPH_HEIGHT = 7;

/** Rows of every glyph: bit 4 is the left pixel. */
const FACE = new Map<string, readonly number[]>();
for (const [glyphs, rows] of STRIPS) {
  for (const [i, glyph] of [...glyphs].entries()) {
    const cells = rows.map((row) => row.slice(i * 6, i * 6 + GLYPH_WIDTH));
    FACE.set(
      glyph,
      cells.map((cell) => [...cell].reduce((bits, dot) => bits * 2 + (dot === "#" ? 1 : 0), 0)),
    );
  }
}

/** Height in pixels of a line of text at `zoom` pixels a dot. */
export function textHeight(zoom: number): number {
  return GLYPH_HEIGHT * zoom;
}

/** Width in pixels of `text` at `zoom` pixels a dot. */
export function textWidth(text: string, zoom: number): number {
  return Math.max(0, [...text].length * (GLYPH_WIDTH + 1) - 1) * zoom;
}

/** An RGB image, uint8 (height, width, 3). */
export interface Canvas {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws `text` with its top left corner at (left, top), cut off at the canvas's edges. Characters that the face lacks
 * are shown as "-".
 */
export function drawText(
  canvas: Canvas,
  text: string,
  at: { left: number; top: number; zoom: number; colour: readonly [number, number, number] },
): void {
  let left = at.left;
  for (const character of text) {
    const rows = FACE.get(character.toUpperCase()) ?? FACE.get("-")!;
    for (let y = 0; y < GLYPH_HEIGHT * at.zoom; y++) {
      for (let x = 0; x < GLYPH_WIDTH * at.zoom; x++) {
        const lit = (rows[Math.floor(y / at.zoom)] >> (GLYPH_WIDTH - 1 - Math.floor(x / at.zoom))) & 1;
        const [px, py] = [left + x, at.top + y];
        if (!lit || px < 0 || py < 0 || px >= canvas.width || py >= canvas.height) continue;
        canvas.pixels.set(at.colour, (py * canvas.width + px) * 3);
      }
    }
    left += (GLYPH_WIDTH + 1) * at.zoom;
  }
}
