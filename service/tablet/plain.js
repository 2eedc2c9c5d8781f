/** Numbers of persons in plain words: told before an entry is stored, because the service refuses them (domain/personal.py). */

const MOBILE = /(?<![\d])(?<!\d\.)(?:\+?(?:00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)/;
const IDENTITY = /(?<!\d)(?<!\d\.)[1-8]\d{5} ?(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) ?\d{3}[\dXx](?!\d)/g;
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/** Whether words hold a mainland mobile number, or an identity number whose check digit is right (GB 11643). */
export function bearsNumber(words) {
  const plain = words.normalize("NFKC");
  return MOBILE.test(plain) || [...plain.matchAll(IDENTITY)].some(([found]) => checks(found.replaceAll(" ", "").toUpperCase()));
}

const checks = (number) => "10X98765432"[WEIGHTS.reduce((sum, weight, at) => sum + weight * Number(number[at]), 0) % 11] === number[17];
