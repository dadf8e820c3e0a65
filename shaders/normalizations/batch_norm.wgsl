// Batch normalisation: each unit by its mean and variance over the batch.

const BY_COLUMN = true;
const CENTERED = true;
const HAS_SHIFT = true;
