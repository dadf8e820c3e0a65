// Layer normalisation: each row by the mean and variance of its units.

const BY_COLUMN = false;
const CENTERED = true;
const HAS_SHIFT = true;
