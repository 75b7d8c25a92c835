/**
 * Regions of a picture: it is divided into as many columns as rows, whatever the number of places that a network sees there. A
 * place on a border belongs to both sides, by its share.
 */

/**
 * How much each place counts in each region's mean.
 *
 * @param height places in a column
 * @param width places in a row
 * @param side regions in a row, and rows of them
 * @returns `[height * width, side²]`; each column's sum is 1
 */
export function regionWeights(height: number, width: number, side: number): Float32Array {
  const weights = new Float32Array(height * width * side * side);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      for (let r = 0; r < side; r++) {
        for (let c = 0; c < side; c++) {
          weights[((i * width + j) * side + r) * side + c] = share(i, height, r, side) *
            share(j, width, c, side);
        }
      }
    }
  }
  return weights;
}

/** The share of a region's length that a place covers. */
function share(place: number, places: number, region: number, regions: number): number {
  const start = Math.max(place / places, region / regions);
  const end = Math.min((place + 1) / places, (region + 1) / regions);
  return Math.max(0, end - start) * regions;
}
