// Two PNGs as data: URLs, loosely: their sizes, and the share of differing blocks in the worst band, 0 to 1.
// A block differs when no block near it in the other picture has about its mean colour, so letters may move a little.
async ([kept, anew]) => {
  const SIDE = 8, BESIDE = 4, ABOVE = 3, BAND = 4; // pixels; then blocks
  const TOLERANCE = 24; // of 255, in the channel that differs most

  const pixels = async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };

  const mean = ({ data, width, height }, left, top) => {
    const sum = [0, 0, 0];
    let count = 0;
    for (let y = top; y < Math.min(top + SIDE, height); y++)
      for (let x = left; x < Math.min(left + SIDE, width); x++, count++)
        for (let channel = 0; channel < 3; channel++) sum[channel] += data[4 * (y * width + x) + channel];
    return sum.map((value) => value / count);
  };

  const blocks = (picture) =>
    Array.from({ length: Math.ceil(picture.height / SIDE) }, (_, row) =>
      Array.from({ length: Math.ceil(picture.width / SIDE) }, (_, column) => mean(picture, column * SIDE, row * SIDE)));

  const found = (colour, other, row, column) =>
    other.slice(Math.max(0, row - ABOVE), row + ABOVE + 1).some((line) =>
      line.slice(Math.max(0, column - BESIDE), column + BESIDE + 1).some((near) =>
        near.every((value, channel) => Math.abs(value - colour[channel]) <= TOLERANCE)));

  const worstBand = (one, other) => {
    const rows = one.map((line, row) =>
      line.filter((colour, column) => !found(colour, other, row, column)).length / line.length);
    const bands = rows.slice(0, rows.length - BAND + 1).map((_, row) =>
      rows.slice(row, row + BAND).reduce((sum, share) => sum + share) / BAND);
    return Math.max(...bands);
  };

  const [before, after] = [await pixels(kept), await pixels(anew)];
  const [one, other] = [blocks(before), blocks(after)];
  return {
    widths: [before.width, after.width],
    heights: [before.height, after.height],
    worst: Math.max(worstBand(one, other), worstBand(other, one)),
  };
}
