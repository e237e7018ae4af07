import ts from 'typescript';

/** One small change of a source file: `[start, end)` becomes `text`. */
export interface Mutation {
  kind: string;
  start: number;
  end: number;
  text: string;
  /** A statement becomes a statement, everything else an expression an expression. */
  isStatement: boolean;
}

const swapped: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
};

/** The mutants of a file, in the order of the text. Types, imports, errors and log messages are not mutated. */
export function mutationsOf(source: ts.SourceFile): Mutation[] {
  const found: Mutation[] = [];
  const add = (kind: string, node: ts.Node, text: string, isStatement = false): void => {
    found.push({ kind, start: node.getStart(source), end: node.getEnd(), text, isStatement });
  };
  const visit = (node: ts.Node): void => {
    if (isLeftAlone(node, source)) return;
    for (const change of changesOf(node, source)) add(...change);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isLeftAlone(node: ts.Node, source: ts.SourceFile): boolean {
  if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return true;
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return true;
  if (ts.isNewExpression(node) && ts.isThrowStatement(node.parent)) return true;
  return ts.isExpressionStatement(node) && /^(await )?[\w.#?]*logger\??\./i.test(node.getText(source));
}

type Replacement = [kind: string, node: ts.Node, text: string, isStatement?: boolean];

function changesOf(node: ts.Node, source: ts.SourceFile): Replacement[] {
  const text = (of: ts.Node): string => of.getText(source);
  if (ts.isBinaryExpression(node)) return binaryChanges(node, text);
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) return unaryChanges(node, text);
  if (ts.isNumericLiteral(node) && !isName(node))
    return [['number', node, `${text(node)} ${Number(node.text) % 2 === 1 ? '-' : '+'} 1`]]; // 0 and 1 become each other
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [['boolean', node, 'false']];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [['boolean', node, 'true']];
  if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
    const condition = ts.isIfStatement(node) ? node.expression : node.condition;
    return ['true', 'false'].map((value): Replacement => ['condition', condition, value]);
  }
  if (ts.isWhileStatement(node)) return [['condition', node.expression, 'false']];
  if (ts.isForStatement(node) && node.condition) return [['condition', node.condition, 'false']];
  if (ts.isReturnStatement(node) && node.expression && !isUndefined(node.expression))
    return [['return', node.expression, 'undefined']];
  if (ts.isArrowFunction(node) && !ts.isBlock(node.body) && !isUndefined(node.body))
    return [['return', node.body, 'undefined']];
  return isRemovable(node) ? [['removed', node, '', true]] : [];
}

function binaryChanges(node: ts.BinaryExpression, text: (of: ts.Node) => string): Replacement[] {
  const operator = text(node.operatorToken);
  if (operator === '??') return [['default', node, text(node.left)]];
  const other = swapped[operator];
  const joinsText = operator.startsWith('+') && [node.left, node.right].some(isText);
  if (other === undefined || joinsText) return [];
  return [['operator', node, `(${text(node.left)}) ${other} (${text(node.right)})`]];
}

function unaryChanges(
  node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression,
  text: (of: ts.Node) => string,
): Replacement[] {
  const operand = text(node.operand);
  if (node.operator === ts.SyntaxKind.ExclamationToken) return [['operator', node, operand]];
  if (node.operator === ts.SyntaxKind.PlusPlusToken) return [['operator', node, `${operand}--`]];
  if (node.operator === ts.SyntaxKind.MinusMinusToken) return [['operator', node, `${operand}++`]];
  return [];
}

const isText = (node: ts.Node): boolean =>
  ts.isStringLiteral(node) || ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node);

const isUndefined = (node: ts.Node): boolean => ts.isIdentifier(node) && node.text === 'undefined';

const isName = (node: ts.Node): boolean => 'name' in node.parent && node.parent.name === node;

function isRemovable(node: ts.Node): boolean {
  if (ts.isThrowStatement(node) || ts.isBreakStatement(node) || ts.isContinueStatement(node)) return true;
  if (!ts.isExpressionStatement(node)) return false;
  return !(ts.isCallExpression(node.expression) && node.expression.expression.kind === ts.SyntaxKind.SuperKeyword);
}
