// Every invocation reads the member's state and settings.

fn reads_settings() -> bool {
    return true;
}

fn given_word(own: u32) -> u32 {
    return own;
}

fn given_settings(own: StepSettings) -> StepSettings {
    return own;
}
