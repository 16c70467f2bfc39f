//! What tables there are: descriptors, their codec, and the lookup that plans use.
