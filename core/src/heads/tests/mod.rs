mod own;
mod rules;
mod sending;
mod support;
