// The workgroup memory of matmul_tiled.

const TILE = 64u;
const DEPTH = 16u;

var<workgroup> a_tile: array<f32, 1024>; // [DEPTH][TILE]
var<workgroup> b_tile: array<f32, 1024>; // [DEPTH][TILE]
