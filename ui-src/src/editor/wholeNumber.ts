// Versions and lines in an address: what is no number from 1 on is as if it were not there.
export function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
