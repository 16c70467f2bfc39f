/** The path of the program that this package brings. */
export const binary: string;
/** Starts a server, in memory and on a free port unless the flags say otherwise. */
export function start(flags?: string[]): Promise<{ url: string; stop(): Promise<void> }>;
