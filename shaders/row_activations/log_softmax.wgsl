// log_softmax(x)_k = x_k - log sum_j exp(x_j), about the largest x. The gradient is
// d - exp(y) sum d.

fn row_act(first: u32) {
    var largest = read_input(first);
    for (var i = 1u; i < call.units; i++) {
        largest = max(largest, read_input(first + i));
    }
    var sum = 0.0;
    for (var i = 0u; i < call.units; i++) {
        sum += exp(read_input(first + i) - largest);
    }
    let log_sum = log(sum);
    for (var i = 0u; i < call.units; i++) {
        write_output(first + i, (read_input(first + i) - largest) - log_sum);
    }
}

fn row_act_grad(first: u32) {
    var sum = 0.0;
    for (var i = 0u; i < call.units; i++) {
        sum += read_delta(first + i);
    }
    for (var i = 0u; i < call.units; i++) {
        write_delta(first + i, read_delta(first + i) - exp(read_output(first + i)) * sum);
    }
}
