// An embedded column of a call.

// Twin: kernels::embedding::EmbeddedColumn.
struct EmbeddedColumn {
    column: u32,      // its place in a data row
    input: u32,       // where its vector begins among the first layer's inputs
    categories: u32,  // rows of its table
    size: u32,        // columns of its table
    offset: u32,      // where the table begins in a member's arena
    spare0: u32,
    spare1: u32,
    spare2: u32,
}
