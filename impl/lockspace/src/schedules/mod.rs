pub(crate) mod stand_in;
