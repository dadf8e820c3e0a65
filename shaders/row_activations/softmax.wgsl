// softmax(x)_k = exp(x_k) / sum_j exp(x_j), about the largest x. The gradient is y (d - sum d y).

fn row_act(first: u32) {
    var largest = read_input(first);
    for (var i = 1u; i < call.units; i++) {
        largest = max(largest, read_input(first + i));
    }
    var sum = 0.0;
    for (var i = 0u; i < call.units; i++) {
        sum += exp(read_input(first + i) - largest);
    }
    for (var i = 0u; i < call.units; i++) {
        write_output(first + i, exp(read_input(first + i) - largest) / sum);
    }
}

fn row_act_grad(first: u32) {
    var along = 0.0;
    for (var i = 0u; i < call.units; i++) {
        along += read_output(first + i) * read_delta(first + i);
    }
    for (var i = 0u; i < call.units; i++) {
        write_delta(first + i, read_output(first + i) * (read_delta(first + i) - along));
    }
}
