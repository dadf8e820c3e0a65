// Reals are handled one at a time: rows that do not begin at a multiple of four.

alias Reals = f32;
const REALS = 1u;
