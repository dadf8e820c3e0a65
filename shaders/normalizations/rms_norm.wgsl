// RMS normalisation: each row by the root mean square of its units.

const BY_COLUMN = false;
const CENTERED = false;
const HAS_SHIFT = false;
