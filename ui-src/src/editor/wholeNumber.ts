// Parses a version or line in an address. Returns undefined unless it is a whole number from 1.
export function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
