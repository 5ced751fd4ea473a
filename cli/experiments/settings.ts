/**
 * Settings that experiments share: kinds of values, and those that mean the same everywhere.
 *
 * @module
 */
import { z } from "npm:zod@4.6.7";
import { MODELS } from "../inputs.ts";

/** A number of things, at least one. */
export const count = () => z.int().min(1);

/** A number above 0. */
export const positive = () => z.number().positive();

/** A number from 0 up to, but not, 1. */
export const fraction = () => z.number().min(0).lt(1);

/** A number above 0 and at most 1. */
export const ratio = () => z.number().positive().max(1);

/** Seed of first weights, orders and choices. */
export const seed = () => z.int().min(0).max(2 ** 32 - 1).default(0);

/** `mnist`, `digits` or a folder, as `--data` takes them. */
export const data = () => z.string().min(1).default("mnist");

/** Name of a built-in network. */
export const model = () => z.enum(Object.keys(MODELS));
