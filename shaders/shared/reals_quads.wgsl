// Reals are handled four at a time.

alias Reals = vec4<f32>;
const REALS = 4u;
