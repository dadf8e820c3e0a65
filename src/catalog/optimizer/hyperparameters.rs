//! The numbers of an optimizer, by name.

macro_rules! hyperparameters {
    ($($name:ident: $doc:literal,)*) => {
        /// The numbers of an optimizer; a variant reads those that its row's parameters name.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct Hyperparameters {
            $(#[doc = $doc] pub $name: f64,)*
        }

        impl Hyperparameters {
            /// The number of that name.
            pub fn get(&self, name: &str) -> Option<f64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            /// The number of that name, to be set.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

hyperparameters! {
    learning_rate: "Base learning rate, before the schedule.",
    weight_decay: "Decoupled weight decay.",
    beta1: "Decay of the mean of gradients.",
    beta2: "Decay of the mean of squared gradients.",
    epsilon: "Added to a denominator.",
    momentum: "Momentum.",
    dampening: "Dampening of the momentum.",
    rho: "Decay of the mean of squared gradients (RMSprop, Adadelta; PyTorch calls it alpha or rho).",
    momentum_decay: "How fast NAdam's momentum rises to beta1.",
    initial_accumulator: "What Adagrad's sum of squared gradients starts from.",
    lr_decay: "How fast Adagrad's learning rate falls.",
    ns_steps: "Newton-Schulz steps of Muon.",
    adam_learning_rate: "Learning rate of the tensors that Muon leaves to AdamW; 0: Muon's own.",
    adam_weight_decay: "Decoupled weight decay of those tensors.",
    adam_epsilon: "Epsilon of those tensors.",
}
