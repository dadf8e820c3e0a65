// An invocation of each subgroup reads the member's state and settings, and hands them to the others:
// for adapters on which each invocation's load takes a time of its own.

fn reads_settings() -> bool {
    return subgroup_lane == 0u;
}

fn given_word(own: u32) -> u32 {
    return subgroupShuffle(own, 0u);
}

fn given_settings(own: StepSettings) -> StepSettings {
    return StepSettings(
        subgroupShuffle(own.first_row, 0u),
        subgroupShuffle(own.rows, 0u),
        subgroupShuffle(own.position, 0u),
        subgroupShuffle(own.batch, 0u),
        subgroupShuffle(own.step, 0u),
        subgroupShuffle(own.accumulates, 0u),
        subgroupShuffle(own.updates, 0u),
        subgroupShuffle(own.spare0, 0u),
        subgroupShuffle(own.share, 0u),
        subgroupShuffle(own.learning_rate, 0u),
        subgroupShuffle(own.weight_decay, 0u),
        subgroupShuffle(own.clip, 0u),
        subgroupShuffle(own.epsilon, 0u),
        subgroupShuffle(own.beta1, 0u),
        subgroupShuffle(own.beta2, 0u),
        subgroupShuffle(own.momentum, 0u),
        subgroupShuffle(own.dampening, 0u),
        subgroupShuffle(own.rho, 0u),
        subgroupShuffle(own.average_rate, 0u),
        subgroupShuffle(own.spare1, 0u),
        subgroupShuffle(own.coefficients, 0u),
        subgroupShuffle(own.loss, 0u),
    );
}
