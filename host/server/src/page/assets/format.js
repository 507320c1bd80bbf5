// Numbers for people. The exact ones stand in titles and in the API's answers.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const count = (value) => whole.format(value);

export const share = (value) => {
  if (value > 0 && value < 0.001) return "under 0.1 %";
  return `${three.format(Math.round(value * 1000) / 10)} %`;
};

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${(value >= 1000 ? whole : three).format(value)} ${units[index]}`;
}

export function fuel(value) {
  for (const [size, word] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (value >= size) return `${three.format(value / size)} ${word}`;
  }
  return whole.format(value);
}

export function milliseconds(value) {
  if (value >= 1000) return `${three.format(value / 1000)} s`;
  return `${three.format(value)} ms`;
}

export const date = (text) => text.slice(0, 10);
